import { Component, type ReactNode } from "react";
import { text } from "../texts";
import { Failure } from "../ui/Failure";

interface BrokenProps {
  /** Where the person is: elsewhere it may be better. */
  path: string;
  children: ReactNode;
}

/** Where a page has failed while it was drawn: the frame stays, and says what to do. */
export class Broken extends Component<BrokenProps, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidUpdate(before: BrokenProps) {
    if (this.state.failed && before.path !== this.props.path) this.setState({ failed: false });
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <Failure
        title={text("shell:broken.title")}
        message={text("shell:broken.text")}
        onRetry={() => window.location.reload()}
      />
    );
  }
}
