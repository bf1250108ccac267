/** The theme: the system's until the person chooses one; kept for this browser. */
export type Theme = "light" | "dark";

const KEY = "multitude.theme";
const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

/** The theme to show now. */
export function currentTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : system();
}

/** Shows a theme; with `keep` it stays the person's choice. */
export function showTheme(theme: Theme, keep = false): void {
  document.documentElement.dataset.theme = theme;
  if (keep) localStorage.setItem(KEY, theme);
}
