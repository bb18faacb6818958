import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import "./app/styles";
import { startWorker } from "./app/worker";
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
startWorker();
