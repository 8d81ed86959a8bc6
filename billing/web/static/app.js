// Keys, menus, the theme without a reload. Every page works without this file.
(() => {
  const root = document.documentElement;

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.dropdown[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const live = event.target.closest("[data-live]");
    if (live) {
      // The newest page of the filter in hand, wherever in it the reader is.
      const here = new URL(location.href);
      for (const name of ["after", "before"]) here.searchParams.delete(name);
      live.href = here.pathname + here.search;
    }
    const file = event.target.closest("[data-export], [data-filtered]");
    if (file) {
      // The filter in hand, which changes without the rest of the page.
      const here = new URL(location.href);
      for (const name of ["after", "before"]) here.searchParams.delete(name);
      file.search = here.search;
    }
    const theme = event.target.closest("[data-theme-switch]");
    if (theme) {
      event.preventDefault();
      const next = theme.value;
      root.dataset.bsTheme = next;
      document.querySelector("meta[name=color-scheme]").content = next;
      theme.value = next === "dark" ? "light" : "dark";
      const secure = location.protocol === "https:" ? "; secure" : "";
      document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax${secure}`;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.dropdown[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      } else if (location.hash === "#side") location.hash = "main";
      return;
    }
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (event.altKey || event.ctrlKey || event.metaKey || typing) return;
    if (event.key === "/") {
      event.preventDefault();
      document.getElementById("q0")?.focus();
    }
    if (!event.target.closest(".dropdown, pre")) {
      document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
    }
  });

  // A list of fields has always an empty one at its end.
  document.addEventListener("input", (event) => {
    const list = event.target.closest("[data-grows]");
    if (!list || list.lastElementChild !== event.target || !event.target.value) return;
    const next = event.target.cloneNode();
    next.value = "";
    list.append(next);
    htmx.process(next);
  });

  // Leave empty filters out of the address.
  document.addEventListener("formdata", (event) => {
    // A view is of the filter in hand.
    if ("query" in event.target.dataset) event.formData.set("query", location.search.slice(1));
    if (event.target.method !== "get") return;
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
})();
