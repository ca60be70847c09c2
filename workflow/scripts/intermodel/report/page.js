"use strict";
// Tables sort by the heading that is pressed; numbers as numbers, empty cells last.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  table.querySelectorAll("th button").forEach((button, column) => {
    button.addEventListener("click", () => {
      const heading = button.parentElement;
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
      };
      const compare = (first, second) => {
        const [a, b] = [key(first), key(second)];
        if (typeof a === "number" && typeof b === "number") {
          if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
          return ascending ? a - b : b - a;
        }
        return ascending ? String(a).localeCompare(String(b)) : String(b).localeCompare(String(a));
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}
// Figures open enlarged.
const viewer = document.getElementById("viewer");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const image = button.querySelector("img");
    const large = viewer.querySelector("img");
    large.src = image.src;
    large.alt = image.alt;
    viewer.showModal();
  });
}
viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
