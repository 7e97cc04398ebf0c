"use strict";
(() => {
  let data = null; // figures, templates, and whether this page is printed
  const root = document.documentElement;
  const themeButton = document.getElementById("theme");
  const panels = [...document.querySelectorAll(".org")];
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const drawn = new Map(); // plot id -> theme that it was drawn in

  const draw = (plot) => {
    const figure = data.figures[plot.id];
    const look = root.dataset.theme;
    if (!figure || drawn.get(plot.id) === look) return;
    draw_chart(plot, figure, data.templates[root.dataset.theme], data.print);
    drawn.set(plot.id, look);
  };
  // A chart in a folded part has no width to be drawn for: it is drawn when its part is unfolded.
  const drawPanel = (panel) => panel.querySelectorAll(".plot").forEach((plot) => {
    const folded = plot.closest("details:not([open])");
    if (!folded) draw(plot);
  });
  const drawShown = () => panels.filter((panel) => data.print || !panel.classList.contains("away")).forEach(drawPanel);

  document.querySelectorAll("details.more").forEach((part) => part.addEventListener("toggle", () => {
    if (part.open && window.Plotly) part.querySelectorAll(".plot").forEach(draw);
  }));

  const setTheme = (theme) => {
    root.dataset.theme = theme;
    themeButton.setAttribute("aria-pressed", String(theme === "dark"));
    themeButton.textContent = theme === "dark" ? "Light" : "Dark";
    if (window.Plotly) drawShown();
  };
  const select = (index) => {
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === index));
      tab.tabIndex = i === index ? 0 : -1;
      panels[i].classList.toggle("away", i !== index);
    });
    if (window.Plotly) drawPanel(panels[index]);
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => select(index));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (index + step + tabs.length) % tabs.length;
      select(next);
      tabs[next].focus();
    });
  });
  themeButton.addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark"));

  // On paper everything is shown, in light colours; afterwards the screen is as it was.
  let before = null;
  window.addEventListener("beforeprint", () => {
    const folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((part) => { part.open = true; });
    before = { folded, theme: root.dataset.theme, away: panels.map((panel) => panel.classList.contains("away")) };
    panels.forEach((panel) => panel.classList.remove("away"));
    setTheme("light");
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    panels.forEach((panel, i) => panel.classList.toggle("away", before.away[i]));
    before.folded.forEach((part) => { part.open = false; });
    setTheme(before.theme);
    before = null;
  });

  // Inside a notebook the frame around us is made as high as the page, so that nothing scrolls inside it.
  if (window.parent !== window) {
    const report = () => window.parent.postMessage({ sfnb_height: Math.ceil(document.body.getBoundingClientRect().height) + 24 }, "*");
    new ResizeObserver(report).observe(document.body);
  }

  const start = () => {
    const isDark = !data.print && window.matchMedia("(prefers-color-scheme: dark)").matches;
    setTheme(isDark ? "dark" : "light");
    root.dataset.ready = "true";
  };
  const text = (id) => document.getElementById(id).textContent.trim();
  if (!document.getElementById("library")) {
    data = JSON.parse(text("data"));
    start();
    return;
  }
  const unpacked = (id) => {
    const bytes = Uint8Array.from(atob(text(id)), (sign) => sign.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const unpack = async () => {
    data = JSON.parse(await unpacked("data"));
    const script = document.createElement("script");
    script.textContent = await unpacked("library");
    document.head.append(script);
  };
  unpack().then(start).catch((error) => {
    const note = document.createElement("p");
    note.className = "sentence";
    note.textContent = `The charts could not be drawn (${error}). A browser of 2023 or later draws them; the tables are complete.`;
    document.querySelector("main").prepend(note);
    root.dataset.ready = "failed";
  });
})();
