// One chart: shared by the report and the dashboard.

const NARROW = 600; // pixels: below, a chart is as wide as a telephone
const DAYS_SHOWN = 4;

const is_narrow = (plot) => plot.clientWidth < NARROW;

const fitted = (figure, template, narrow) => {
  const layout = { ...figure.layout, template };
  if (!narrow) return layout;
  layout.margin = { l: 40, r: 10, t: 12, b: 40 };
  const axis = layout.xaxis;
  if (axis && axis.ticktext && axis.ticktext.length > DAYS_SHOWN) {
    const step = Math.ceil(axis.ticktext.length / DAYS_SHOWN);
    const some = (values) => values.filter((_, n) => n % step === 0);
    layout.xaxis = { ...axis, tickvals: some(axis.tickvals), ticktext: some(axis.ticktext), tickangle: 0 };
  }
  return layout;
};

// A scale beside a narrow chart would take a third of it.
const with_scale_below = (trace) =>
  trace.colorbar ? { ...trace, colorbar: { ...trace.colorbar, orientation: "h", y: -0.35, thickness: 12 } } : trace;

const draw_chart = (plot, figure, template, print) => {
  const narrow = !print && is_narrow(plot);
  const layout = fitted(figure, template, narrow);
  if (print) {
    layout.width = plot.clientWidth;
    layout.height = Math.min(layout.height || 420, 215);
  } else {
    // When the window changes Plotly takes the element's height, not the layout's.
    plot.style.height = `${layout.height || 420}px`;
  }
  Plotly.react(plot, narrow ? figure.data.map(with_scale_below) : figure.data, layout, {
    responsive: !print, displaylogo: false, displayModeBar: print ? false : undefined, showTips: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], staticPlot: print,
  });
  plot.setAttribute("role", "group"); // no picture any more: its buttons and texts can be reached
};
