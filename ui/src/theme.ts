// Light, dark, or as the system has it; the style sheet knows the first two only.
const CHOICES = ["auto", "light", "dark"] as const;
export type Theme = (typeof CHOICES)[number];

const system = window.matchMedia("(prefers-color-scheme: dark)");
export const chosenTheme = (): Theme => CHOICES.find((c) => c === localStorage.getItem("theme")) ?? "auto";

export function applyTheme(): void {
  const choice = chosenTheme();
  document.documentElement.dataset["theme"] = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
}

export function nextTheme(): void {
  localStorage.setItem("theme", CHOICES[(CHOICES.indexOf(chosenTheme()) + 1) % CHOICES.length]!);
  applyTheme();
}

system.addEventListener("change", applyTheme);
