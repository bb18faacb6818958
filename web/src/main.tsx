import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import "./app/styles";
import { startTexts } from "./texts";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
const page = createRoot(root);
void startTexts().then(() =>
  page.render(
    <StrictMode>
      <App />
    </StrictMode>,
  ),
);
