"""What a tag sets off: the workflow is one, uses what was looked at, may little, and does what is promised."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"


def is_workflow(path):
    from check_jsonschema import main

    with pytest.raises(SystemExit) as ended:
        main(["--builtin-schema", "vendor.github-workflows", str(path)])
    return ended.value.code == 0


def test_workflows_follow_their_schema(tmp_path):
    assert is_workflow(WORKFLOW)
    wrong = tmp_path / "release.yml"
    wrong.write_text(WORKFLOW.read_text().replace("runs-on:", "runs-in:", 1))
    assert not is_workflow(wrong)


def test_workflows_use_what_was_looked_at_and_may_little():
    """Each action by the hash of a commit; no right beyond reading but those that an attestation needs."""
    for path in WORKFLOW.parent.iterdir():
        text = path.read_text()
        assert re.findall(r"uses: (?!\w[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$).*", text, re.MULTILINE) == []
        assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
        assert set(re.findall(r"^ +([a-z-]+): write\b", text, re.MULTILINE)) == {"attestations", "id-token"}
        assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@")
        # What a job runs is a verb of ours, and nothing that somebody else may have written into it.
        assert set(re.findall(r"run: (.*)", text)) <= {".ci/run", "make audit", "make wheel sbom"}


def test_a_release_is_checked_audited_described_and_attested():
    jobs = dict(re.findall(r"^  (\w+):\n    name: .*\n((?:    .*\n)+)", WORKFLOW.read_text(), re.MULTILINE))
    assert "run: .ci/run" in jobs["check"]
    assert "run: make audit" in jobs["audit"]
    assert "needs: [check, audit]" in jobs["build"]
    assert jobs["build"].index("make wheel sbom") < jobs["build"].index("actions/attest@")
    make = (ROOT / "Makefile").read_text()
    for name in ("sbom-python.cdx.json", "sbom-page.cdx.json"):
        assert f"sbom-path: dist/{name}" in jobs["build"]
        assert f"dist/{name}" in make
    assert re.search(
        r"^audit:.*\n(?:\t.*\n)*\t.*pip-audit .*--require-hashes(?:.*\n)+?\t.*npm audit", make, re.MULTILINE
    )
