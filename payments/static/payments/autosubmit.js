// Sends the one marked form as soon as the page is there. Without JavaScript the payer presses its button.
document.querySelector("form[data-autosubmit]")?.requestSubmit();
