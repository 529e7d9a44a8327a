// The box of every page: Ctrl+K or its button opens it, Enter follows the first result, the arrow keys walk through them.
(() => {
  const box = () => document.getElementById("cf-find");
  const open = () => {
    if (!box() || box().open) return;
    box().showModal();
    box().querySelector("input").select();
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-find]")) open();
    else if (event.target === box()) box().close(); // beside it
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && box()) {
      event.preventDefault();
      open();
    } else if (box()?.open) walk(event);
  });
  const walk = (event) => {
    const stops = [box().querySelector("input"), ...box().querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      stops[Math.min(stops.length - 1, Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)))].focus();
    } else if (event.key === "Enter" && at === 0 && stops.length > 1) {
      event.preventDefault();
      stops[1].click();
    }
  };
})();
