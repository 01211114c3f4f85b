// Figures are drawn once they come near the window, or when the page is printed; Plotly is read for the first of them.

const places = [...document.querySelectorAll(".chart")];
const options = { displayModeBar: false, displaylogo: false };

function plotly() {
  if (!window.Plotly) {
    const code = document.createElement("script");
    code.textContent = document.getElementById("plotly").textContent;
    document.head.append(code);
  }
  return window.Plotly;
}

function drawChart(place) {
  if (place.dataset.drawn) return;
  place.dataset.drawn = "yes";
  const figure = JSON.parse(document.getElementById(`${place.id}-figure`).textContent);
  plotly().newPlot(place, figure.data, { ...figure.layout, width: place.clientWidth }, options);
  sizes.observe(place);
}

function fit(place) {
  const width = place.clientWidth;
  if (place.dataset.drawn && width && width !== place.layout?.width) plotly().relayout(place, { width });
}

const sizes = new ResizeObserver(entries => entries.forEach(entry => fit(entry.target)));
const near = new IntersectionObserver(
  entries => entries.filter(entry => entry.isIntersecting).forEach(entry => drawChart(entry.target)),
  { rootMargin: "500px" },
);
places.forEach(place => near.observe(place));
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach(part => { part.open = true; });
  places.forEach(drawChart);
});
matchMedia("print").addEventListener("change", () => places.forEach(fit));
