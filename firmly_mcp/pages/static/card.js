// Makes the card's form smoother; it works without it.
"use strict";

const form = document.querySelector("form[data-brands]");
const brands = JSON.parse(form.dataset.brands);
const number = document.getElementById("number");
const brandName = document.getElementById("brand");
const expiry = document.getElementById("expiry");
const billing = document.getElementById("billing");
const digitsOf = (text) => text.replace(/\D/g, "");

// The card's brand and its spaces, as the digits are typed.
number.addEventListener("input", () => {
  const before = digitsOf(number.value.slice(0, number.selectionStart)).length;
  const atEnd = number.selectionStart === number.value.length;
  const digits = digitsOf(number.value).slice(0, 19);
  number.value = inGroups(digits);
  if (!atEnd) {
    const caret = inGroups(digits.slice(0, before)).length;
    number.setSelectionRange(caret, caret);
  }
  const brand = brandOf(digits);
  brandName.hidden = !brand;
  brandName.textContent = brand;
});

function brandOf(digits) {
  const has = ([low, high]) => {
    const begins = digits.slice(0, String(low).length);
    return begins.length === String(low).length && Number(begins) >= low && Number(begins) <= high;
  };
  const found = brands.find((brand) => brand.prefixes.some(has));
  return found ? found.name : "";
}

function inGroups(digits) {
  const groups = /^3[47]/.test(digits) ? [4, 6, 5] : [4, 4, 4, 4, 3];
  const parts = [];
  let at = 0;
  for (const length of groups) {
    if (at < digits.length) parts.push(digits.slice(at, at + length));
    at += length;
  }
  return parts.join(" ");
}

// The line between month and year.
expiry.addEventListener("input", (event) => {
  if (event.inputType && event.inputType.startsWith("delete")) return;
  if (/^[2-9]$/.test(expiry.value)) expiry.value = `0${expiry.value}`;
  if (/^\d{2}$/.test(expiry.value)) expiry.value += "/";
  expiry.value = expiry.value.replace(/[/\s]*\/[/\s]*/, "/");
});

// A new address is asked for only where one is wanted.
if (billing) {
  const fields = document.querySelector("[data-only-for]");
  const show = () => {
    fields.hidden = billing.value !== fields.dataset.onlyFor;
  };
  for (const hint of document.querySelectorAll("[data-without-script]")) hint.remove();
  billing.addEventListener("change", show);
  show();
}
