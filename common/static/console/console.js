// The operator's zone for the server, the copy buttons, choosing all of a list, the sum of what was chosen, and dialogs by keyboard.
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const cookie = `console_zone=${encodeURIComponent(zone)}`;
  if (zone && !document.cookie.split("; ").includes(cookie)) {
    document.cookie = `${cookie}; path=/admin/; max-age=31536000; samesite=lax`;
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("cf-copied");
    window.setTimeout(() => button.classList.remove("cf-copied"), 1200);
  });
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-check-all]");
    if (all) {
      for (const box of document.querySelectorAll(`input[name="${all.dataset.checkAll}"]`)) box.checked = all.checked;
    }
    if (event.target.closest("[data-sum]")) showSum();
  });
  const decimal = (minor, digits) => {
    const text = String(minor < 0n ? -minor : minor).padStart(digits + 1, "0");
    const whole = text.slice(0, text.length - digits);
    return `${minor < 0n ? "-" : ""}${whole}${digits ? `.${text.slice(text.length - digits)}` : ""}`;
  };
  const showSum = () => {
    const table = document.querySelector("[data-sum-wanted]");
    if (!table) return;
    const chosen = [...table.querySelectorAll("[data-sum]:checked")].reduce((sum, box) => sum + BigInt(box.dataset.sum), 0n);
    const show = (selector, minor) => {
      const output = document.querySelector(selector);
      output.textContent = decimal(minor, Number(output.dataset.digits));
    };
    show("[data-sum-chosen]", chosen);
    show("[data-sum-rest]", BigInt(table.dataset.sumWanted) - chosen);
  };
  document.addEventListener("DOMContentLoaded", showSum);

  // A dialog is one for the keyboard too: it takes the focus, keeps it, and gives it back.
  const dialog = () => document.getElementById("modal-content");
  const stops = () =>
    [...dialog().querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")].filter((stop) => !stop.disabled && stop.getClientRects().length);
  let opener = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target === dialog()) opener = event.detail.elt;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const box = dialog();
    if (!box || !box.contains(event.target)) return;
    const title = box.querySelector("h2, h3");
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-modal", "true");
    if (title) box.setAttribute("aria-label", title.textContent.trim());
    window.requestAnimationFrame(() => stops().find((stop) => stop.matches("input, select, textarea"))?.focus());
  });
  document.addEventListener("keydown", (event) => {
    if (!dialog()?.getClientRects().length) return;
    if (event.key === "Escape") opener?.focus();
    if (event.key !== "Tab" || !stops().length) return;
    const [first, last] = [stops()[0], stops().at(-1)];
    const inside = dialog().contains(document.activeElement);
    if (event.shiftKey ? !inside || document.activeElement === first : !inside || document.activeElement === last) {
      event.preventDefault();
      (event.shiftKey ? last : first).focus();
    }
  });
})();
