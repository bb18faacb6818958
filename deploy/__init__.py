"""What an installation is made of besides the package."""
