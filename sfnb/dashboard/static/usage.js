// The report of an org inside the page: HTML that Python has made and escaped, and Plotly's charts in it.

let library = null;
const plotly = () => {
  library = library || new Promise((resolve, reject) => {
    const script = h("script", { src: "/static/plotly.js" });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { library = null; reject(new Error("missing")); };
    document.head.append(script);
  });
  return library;
};

const render = ({ model, el }) => {
  const root = h("div", { className: "usage" });
  const { ask, stop } = asker(model);
  const read = h("button", { type: "button", title: word("read_hint") }, word("read"));
  const asking = h("span", { className: "asking", role: "status" });
  read.addEventListener("click", () => ask({ kind: "read" }));
  let drawn = "";
  let stopped = false;
  const theme = () => document.documentElement.dataset.theme;
  const opened = new Set(); // the folded parts that a person has opened
  const draw = async () => {
    const view = model.get();
    if (!window.Plotly) await plotly();
    if (stopped) return;
    root.querySelectorAll(".plot").forEach((plot) => {
      const figure = view.figures[plot.id];
      if (!figure || plot.closest("details:not([open])")) return;
      draw_chart(plot, figure, view.templates[theme()], false);
    });
  };
  const take = () => {
    const view = model.get();
    read.disabled = view.is_asking;
    say(asking, view.is_asking ? word("asking") : "");
    if (view.html !== drawn) {
      drawn = view.html;
      // Charts that are still there are kept and redrawn: a new limit moves a line, nothing flickers.
      const kept = new Map([...root.querySelectorAll(".plot")].map((plot) => [plot.id, plot]));
      root.innerHTML = view.html;
      root.querySelectorAll(".plot").forEach((plot) => {
        if (kept.has(plot.id)) plot.replaceWith(kept.get(plot.id));
      });
      root.querySelectorAll("details").forEach((part) => {
        const name = part.querySelector("summary").textContent;
        part.open = opened.has(name);
        part.addEventListener("toggle", () => {
          if (part.open) { opened.add(name); draw(); } else opened.delete(name);
        });
      });
    }
    draw();
  };
  const watch = new MutationObserver(draw);
  watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  model.on("change:view", take);
  el.append(h("div", { className: "reading" }, read, asking), root);
  take();
  return () => {
    stopped = true;
    stop();
    watch.disconnect();
    model.off("change:view", take);
    if (window.Plotly) root.querySelectorAll(".plot").forEach(end_chart);
  };
};

export default { render };
