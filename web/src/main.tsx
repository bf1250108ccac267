import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import { App } from "./app/App";
import { currentTheme, showTheme } from "./app/theme";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
showTheme(currentTheme());
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
