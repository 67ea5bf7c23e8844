// Copies the text of an element. The button is hidden until this runs: without a script the text is selected by hand.
(() => {
  "use strict";
  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  const copy = async (element) => {
    // Browsers keep the clipboard from addresses without https; there, the old command copies what is selected.
    if (navigator.clipboard) return navigator.clipboard.writeText(element.textContent.trim());
    select(element);
    if (!document.execCommand("copy")) throw new Error("not copied");
  };
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const words = button.querySelector("span"), before = words.textContent;
    const element = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try { await copy(element); words.textContent = "Copied"; }
      catch { select(element); words.textContent = "Selected: press Ctrl C"; }
      setTimeout(() => { words.textContent = before; }, 2500);
    });
  }
})();
