// The operator's zone for the server, the copy buttons, choosing all of a list and the sum of what was chosen.
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
})();
