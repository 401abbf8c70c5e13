"""Style and script of `galaxy_map`: plain CSS and JavaScript, which fetch nothing.

The script finds its map by the `id` of the element around it and reads numbers and texts from a JSON block inside.
"""

STYLE = """
.map { display: grid; grid-template-columns: minmax(0, 1fr) 15rem; gap: 1rem; margin: 1rem 0; }
.map .controls { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; align-items: center;
  font-size: .9rem; }
.map canvas { width: 100%; aspect-ratio: 1; border: 1px solid var(--line); touch-action: none; cursor: crosshair; }
.map select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); }
.map .galaxy { font-size: .85rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.map .stamp { background-repeat: no-repeat; image-rendering: pixelated; display: inline-block; }
.map .alike { display: flex; flex-wrap: wrap; gap: 2px; }
.map .legend { font-size: .85rem; display: flex; flex-wrap: wrap; gap: .2rem .9rem; }
.map .legend i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .3em; }
.map .legend b { display: inline-block; width: 9rem; height: .8em; margin: 0 .5em; }
@media (max-width: 45rem) { .map { grid-template-columns: 1fr; } }
"""

SCRIPT = """
function galaxyMap(name) {
  const root = document.getElementById(name), find = (what) => root.querySelector(what);
  const map = JSON.parse(find('script[type="application/json"]').textContent);
  const canvas = find('canvas'), pen = canvas.getContext('2d'), chooser = find('select');
  const sprite = new Image(), n = map.x.length, margin = 0.05;
  let view = {x: 0.5, y: 0.5, zoom: 1}, pinned = -1, hovered = -1, drag = null;
  sprite.onload = draw;
  sprite.src = map.sprite;
  for (const colour of map.colours) chooser.add(new Option(colour.name));

  function place(i) {
    const side = canvas.width, scale = side * (1 - 2 * margin) * view.zoom;
    return [side / 2 + (map.x[i] - view.x) * scale, side / 2 - (map.y[i] - view.y) * scale];
  }
  function draw() {
    const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    pen.clearRect(0, 0, side, side);
    const colour = map.colours[Math.max(chooser.selectedIndex, 0)], shows = find('input').checked;
    const ink = getComputedStyle(root).color, radius = Math.max(side / 220, 2) * Math.min(Math.sqrt(view.zoom), 3);
    const alike = pinned < 0 ? [] : map.alike[pinned] || [], tile = map.tile * Math.max(side / 900, .5);
    if (pinned >= 0) {
      pen.strokeStyle = ink;
      for (const i of alike) { pen.beginPath(); pen.moveTo(...place(pinned)); pen.lineTo(...place(i)); pen.stroke(); }
    }
    for (let i = 0; i < n; i++) {
      const [x, y] = place(i);
      if (x < -tile || y < -tile || x > side + tile || y > side + tile) continue;
      if (shows) {
        const [left, top] = corner(i);
        pen.drawImage(sprite, left, top, map.tile, map.tile, x - tile / 2, y - tile / 2, tile, tile);
        pen.strokeStyle = shade(colour, i);
        pen.lineWidth = 2;
        pen.strokeRect(x - tile / 2, y - tile / 2, tile, tile);
        pen.lineWidth = 1;
      } else {
        pen.fillStyle = shade(colour, i);
        pen.beginPath(); pen.arc(x, y, radius, 0, 7); pen.fill();
      }
    }
    for (const i of [pinned, hovered]) {
      if (i < 0) continue;
      const [x, y] = place(i);
      pen.strokeStyle = ink; pen.lineWidth = 2;
      pen.beginPath(); pen.arc(x, y, 2.2 * radius, 0, 7); pen.stroke(); pen.lineWidth = 1;
    }
  }
  function shade(colour, i) { const k = colour.shades[i]; return k < 0 ? map.missing : colour.palette[k]; }
  function corner(i) { return [i % map.columns * map.tile, Math.floor(i / map.columns) * map.tile]; }
  function stamp(i, size) {
    const element = document.createElement('span'), [left, top] = corner(i), scale = size / map.tile;
    element.className = 'stamp';
    element.title = map.texts[i];
    const style = {width: size + 'px', height: size + 'px', backgroundImage: 'url(' + map.sprite + ')',
      backgroundPosition: -left * scale + 'px ' + -top * scale + 'px',
      backgroundSize: map.columns * size + 'px auto'};
    Object.assign(element.style, style);
    return element;
  }
  function describe() {
    const box = find('.galaxy'), i = hovered >= 0 ? hovered : pinned;
    box.replaceChildren();
    if (i < 0) { box.textContent = 'Point at a galaxy; click to see those most like it.'; return; }
    box.append(stamp(i, 200));
    for (const line of map.texts[i].split('\\n')) {
      const element = document.createElement('div'); element.textContent = line; box.append(element);
    }
    const alike = map.alike[i] || [];
    if (!alike.length) return;
    const heading = document.createElement('div'), list = document.createElement('div');
    heading.textContent = 'Most alike:'; list.className = 'alike';
    for (const k of alike) list.append(stamp(k, 64));
    box.append(heading, list);
  }
  function legend() {
    const box = find('.legend'), colour = map.colours[Math.max(chooser.selectedIndex, 0)];
    box.replaceChildren();
    const text = (words) => { const span = document.createElement('span'); span.textContent = words; return span; };
    if (colour.range) {
      const bar = document.createElement('b');
      bar.style.background = 'linear-gradient(to right,' + colour.palette.join() + ')';
      box.append(text(colour.range[0]), bar, text(colour.range[1]));
    } else colour.labels.forEach((label, k) => {
      const item = text(label), dot = document.createElement('i');
      dot.style.background = colour.palette[k]; item.prepend(dot); box.append(item);
    });
  }
  function nearest(event) {
    const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
    const x = (event.clientX - box.left) * ratio, y = (event.clientY - box.top) * ratio;
    let best = -1, least = (14 * ratio) ** 2;
    for (let i = 0; i < n; i++) {
      const [a, b] = place(i), distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }
  function refresh() { draw(); describe(); }
  canvas.addEventListener('pointermove', (event) => {
    if (drag) {
      const scale = canvas.clientWidth * (1 - 2 * margin) * view.zoom;
      view.x = drag.view.x - (event.clientX - drag.x) / scale;
      view.y = drag.view.y + (event.clientY - drag.y) / scale;
      drag.moved = drag.moved || Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4;
      draw();
      return;
    }
    const found = nearest(event);
    if (found !== hovered) { hovered = found; refresh(); }
  });
  canvas.addEventListener('pointerdown', (event) => {
    drag = {x: event.clientX, y: event.clientY, view: {...view}, moved: false};
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointerup', (event) => {
    if (drag && !drag.moved) { pinned = nearest(event); refresh(); }
    drag = null;
  });
  canvas.addEventListener('pointerleave', () => { hovered = -1; refresh(); });
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect(), before = 1 / view.zoom;
    view.zoom = Math.min(Math.max(view.zoom * Math.exp(-event.deltaY / 500), 0.8), 60);
    const shift = (before - 1 / view.zoom) / (1 - 2 * margin);
    view.x += ((event.clientX - box.left) / box.width - 0.5) * shift;
    view.y -= ((event.clientY - box.top) / box.height - 0.5) * shift;
    draw();
  }, {passive: false});
  canvas.addEventListener('dblclick', () => { view = {x: 0.5, y: 0.5, zoom: 1}; draw(); });
  chooser.addEventListener('change', () => { draw(); legend(); });
  find('input').addEventListener('change', draw);
  window.addEventListener('resize', draw);
  refresh(); legend();
}
"""
