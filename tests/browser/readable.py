"""What makes a page hard to read or to use by keyboard, measured in the page: too little contrast, controls without a name."""

from __future__ import annotations

from playwright.sync_api import Page

_FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colour = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (front, back) => [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3]));
  const light = (rgb) => {
    const [red, green, blue] = rgb.map((x) => x / 255).map((x) => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = colour(getComputedStyle(at).backgroundColor);
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] >= 0.99) break;
    }
    return layers.reverse().reduce((back, layer) => over(layer, back), [255, 255, 255]);
  };
  const faint = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!text || style.visibility === "hidden" || !element.getClientRects().length) continue;
    if (element.closest("script, style, .material-symbols-outlined, [disabled]")) continue;
    const back = behind(element), tones = [light(over(colour(style.color), back)), light(back)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (tones[0] + 0.05) / (tones[1] + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.add(`${text.slice(0, 40)} (${ratio.toFixed(2)})`);
  }
  return [...faint];
}"""

_NAMELESS = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")]
  .filter((control) => control.getClientRects().length && getComputedStyle(control).visibility !== "hidden")
  .filter((control) => {
    const labels = control.labels ? [...control.labels].map((label) => label.textContent.trim()).join("") : "";
    const own = control.matches("select, input, textarea") ? "" : control.textContent.trim();
    return !(labels || own || control.getAttribute("aria-label") || control.getAttribute("aria-labelledby") || control.title || control.placeholder);
  }).map((control) => control.outerHTML.slice(0, 120))"""


def faint_texts(page: Page) -> list[str]:
    """Texts below the contrast that WCAG 2.1 AA asks for (4.5, large ones 3), with theirs."""
    return list(page.evaluate(_FAINT))


def nameless_controls(page: Page) -> list[str]:
    """Links, buttons and fields that a screen reader could not name."""
    return list(page.evaluate(_NAMELESS))
