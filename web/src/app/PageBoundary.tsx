import { Component, type ReactNode } from "react";
import { messageOf } from "../api/problem";
import { Button } from "../ui/Button";
import { Notice } from "../ui/Notice";

/** Keeps a page's failure inside the page: says what happened and offers to load it again. */
export class PageBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <Notice tone="bad" title="This page failed">
        <p>{messageOf(this.state.error)}</p>
        <Button onPress={() => location.reload()}>Load it again</Button>
      </Notice>
    );
  }
}
