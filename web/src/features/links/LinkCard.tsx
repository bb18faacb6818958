import { Paper, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Centered } from "../../ui/Centered";
import { Logo } from "../../ui/Icon";

/** The frame of a page that a one-time link leads to. */
export function LinkCard({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  return (
    <Centered>
      <div className="welcome">
        <Logo size={44} />
        <Title order={1} size="h2">
          {title}
        </Title>
        <p className="welcome-text">{text}</p>
      </div>
      <Paper withBorder p="lg" className="card">
        {children}
      </Paper>
    </Centered>
  );
}
