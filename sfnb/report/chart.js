// One chart: shared by the report and the dashboard.

const NARROW = 600; // pixels: below, a chart is as wide as a telephone
const DAYS_SHOWN = 4;

const SMALL = 450; // below, names of bars are cut; a point shows them whole
const NAME_CHARS = 16;
const BESIDE = 1.5; // how much longer than its longest bar a narrow axis is: values stand beside short bars

const is_narrow = (plot) => plot.clientWidth < NARROW;

const fitted = (figure, template, narrow, width) => {
  const layout = { ...figure.layout, template };
  if (!narrow) return layout;
  // What does not grow by itself has its scale below the axis.
  layout.margin = layout.margin && layout.margin.autoexpand === false
    ? { l: 44, r: 10, t: 12, b: 110, autoexpand: false } : { l: 40, r: 10, t: 12, b: 40 };
  const axis = layout.xaxis;
  const bars = figure.data.filter((trace) => trace.orientation === "h");
  if (bars.length && width < SMALL) {
    const longest = Math.max(...bars.flatMap((trace) => trace.x));
    const short = (name) => name.length > NAME_CHARS ? `${name.slice(0, NAME_CHARS - 1)}…` : name;
    layout.xaxis = { ...axis, range: [0, longest * BESIDE], autorange: false };
    layout.yaxis = { ...layout.yaxis, ticktext: layout.yaxis.ticktext.map(short) };
    return layout;
  }
  if (axis && axis.ticktext && axis.ticktext.length > DAYS_SHOWN) {
    const step = Math.ceil(axis.ticktext.length / DAYS_SHOWN);
    const some = (values) => values.filter((_, n) => n % step === 0);
    layout.xaxis = { ...axis, tickvals: some(axis.tickvals), ticktext: some(axis.ticktext), tickangle: 0 };
  }
  return layout;
};

// A scale beside a narrow chart would take a third of it.
const with_scale_below = (trace) =>
  trace.colorbar ? { ...trace, colorbar: { ...trace.colorbar, orientation: "h", y: -0.33, yanchor: "top", thickness: 12 } } : trace;

const REST_MS = 100; // a window that is being dragged is drawn for once it rests
const charts = new WeakMap(); // plot -> { draw, width, is_drawing, again, rest }

// One drawing of a chart at a time, and each for the width of its place: two at once leave it with the
// width of the one and the margins of the other.
const drawn_in_turn = async (chart) => {
  if (chart.is_drawing) { chart.again = true; return; }
  chart.is_drawing = true;
  try {
    do { chart.again = false; await chart.draw(); } while (chart.again);
  } finally { chart.is_drawing = false; }
};
const widths = new ResizeObserver((entries) => entries.forEach(({ target }) => {
  const chart = charts.get(target);
  if (!chart || !target.clientWidth || target.clientWidth === chart.width) return;
  clearTimeout(chart.rest);
  chart.rest = setTimeout(() => drawn_in_turn(chart), REST_MS);
}));

const draw_chart = (plot, figure, template, print) => {
  if (!charts.has(plot)) { charts.set(plot, {}); if (!print) widths.observe(plot); }
  const chart = charts.get(plot);
  chart.draw = () => {
    const narrow = !print && is_narrow(plot);
    const layout = fitted(figure, template, narrow, plot.clientWidth);
    // Plotly leaves a scale that was beside the chart where it was.
    if (chart.width && narrow !== chart.narrow) Plotly.purge(plot);
    chart.narrow = narrow;
    chart.width = layout.width = plot.clientWidth;
    // On paper charts are low, but names must not lie on each other.
    const names = (layout.yaxis && layout.yaxis.tickvals || []).length;
    const most = print ? Math.max(215, 80 + 15 * names) : Infinity;
    layout.height = Math.min(layout.height || 420, most);
    return Plotly.react(plot, narrow ? figure.data.map(with_scale_below) : figure.data, layout, {
      displaylogo: false, displayModeBar: print ? false : undefined, showTips: false,
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], staticPlot: print,
    });
  };
  plot.setAttribute("role", "group"); // no picture any more: its buttons and texts can be reached
  return drawn_in_turn(chart);
};
// The chart's place goes away.
const end_chart = (plot) => {
  widths.unobserve(plot);
  const chart = charts.get(plot);
  if (chart) clearTimeout(chart.rest);
  charts.delete(plot);
  window.Plotly.purge(plot);
};
