// The theme of the page around the reader, and a button to change it.
const theme = document.getElementById("theme");
const set_theme = (is_dark) => {
  document.documentElement.dataset.theme = is_dark ? "dark" : "light";
  theme.setAttribute("aria-pressed", is_dark);
};
set_theme(matchMedia("(prefers-color-scheme: dark)").matches);
theme.addEventListener("click", () => set_theme(document.documentElement.dataset.theme === "light"));
