(() => {
  const TOLERANCE_PX = 1;
  const TEXTS_MAX = 5000;
  const shortened = (text) => {
    const line = text.trim().replace(/\s+/g, " ");
    return line.length > 60 ? `${line.slice(0, 59)}…` : line;
  };

  // A line's box is as tall as the font wants it, which lets lines that are set tightly lie on each other
  // without any letter that does. So a rectangle is that of the letters, one em tall.
  const letters = (rect, element) => {
    const matrix = element.getScreenCTM ? element.getScreenCTM() : null;
    const turned = matrix !== null && Math.abs(matrix.b) > 0.01;
    const scale = matrix === null ? 1 : Math.abs(matrix.d);
    const em = parseFloat(getComputedStyle(element).fontSize) * scale;
    const spare = turned ? 0 : Math.max(0, rect.height - em) / 2;
    return { left: rect.left, right: rect.right, top: rect.top + spare, bottom: rect.bottom - spare };
  };

  // What is left of a rectangle within the boxes around it, and whether any of it can be reached by no
  // scrolling.
  const clipped = (rect, element) => {
    const seen = { ...rect };
    let cut = false;
    for (let box = element; box !== null && box !== document.documentElement; box = box.parentElement) {
      const style = getComputedStyle(box);
      const hides = [style.overflowX, style.overflowY].some((flow) => flow !== "visible");
      // An inline box hides nothing, unless it is an image.
      const isText = style.display === "inline" && box.localName !== "svg";
      if (!hides || isText || box === document.body) continue;
      const edge = box.getBoundingClientRect();
      const scrolls = (flow) => flow === "auto" || flow === "scroll";
      const beyondX = seen.left < edge.left - TOLERANCE_PX || seen.right > edge.right + TOLERANCE_PX;
      const beyondY = seen.top < edge.top - TOLERANCE_PX || seen.bottom > edge.bottom + TOLERANCE_PX;
      cut ||= (beyondX && !scrolls(style.overflowX)) || (beyondY && !scrolls(style.overflowY));
      seen.left = Math.max(seen.left, edge.left);
      seen.right = Math.min(seen.right, edge.right);
      seen.top = Math.max(seen.top, edge.top);
      seen.bottom = Math.min(seen.bottom, edge.bottom);
    }
    return { seen, cut };
  };

  // What is there for screen readers alone: in a box of next to nothing.
  const isForReadersAlone = (element) => {
    for (let box = element; box !== null && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.position !== "absolute" || style.overflowX === "visible") continue;
      if (box.clientWidth <= 1 && box.clientHeight <= 1) return true;
    }
    return false;
  };

  const found = [];
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null && texts.length < TEXTS_MAX; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.data.trim() === "" || element.closest("script, style, title, desc, defs, option") !== null) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (isForReadersAlone(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    let cutOff = false;
    for (const box of range.getClientRects()) {
      if (box.width === 0 || box.height === 0) continue;
      const rect = letters(box, element);
      const { seen, cut } = clipped(rect, element);
      cutOff ||= cut;
      if (seen.right <= seen.left || seen.bottom <= seen.top) continue;
      if (seen.left < -TOLERANCE_PX || seen.right > innerWidth + TOLERANCE_PX) {
        found.push(`"${shortened(node.data)}" reaches beyond the page's width of ${innerWidth} px`);
      }
      texts.push({ node, ...seen });
    }
    if (cutOff) found.push(`"${shortened(node.data)}" is cut off`);
  }

  texts.sort((one, other) => one.top - other.top);
  texts.forEach((one, index) => {
    for (let next = index + 1; next < texts.length && texts[next].top < one.bottom; next += 1) {
      const other = texts[next];
      const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const height = Math.min(one.bottom, other.bottom) - other.top;
      if (one.node === other.node || width <= TOLERANCE_PX || height <= TOLERANCE_PX) continue;
      const [first, second] = [one, other].map((text) => shortened(text.node.data));
      found.push(`"${first}" and "${second}" overlap by ${width.toFixed(1)} × ${height.toFixed(1)} px`);
    }
  });

  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) {
    found.push(`the page is ${page.scrollWidth} px wide and has to be scrolled in ${innerWidth} px`);
  }
  return found;
})()
