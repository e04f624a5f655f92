// From pen strokes to an embedding, and to the nearest class mean, in the browser.
// Strokes are lists x, y, x, y, … in thousandths of the paper; images have 28 × 28
// pixels, ink 1 on paper 0; feature maps are flat, channel after channel.
window.metatutorDrawing = (() => {
  const SIDE = 28, CANVAS = 64;

  // ---- strokes to an image, as metatutor/data/build_glyphs.py makes its letters ----

  const LONGEST = 37; // of a letter's line on the canvas: the data set's mean
  const PEN = 1.4; // half a line's width, the mean of its writers
  const SMALLEST = 120; // of what is drawn: a dot is not blown up to a letter

  // the square of the distance from p to the segment from a to b
  function distance2(px, py, ax, ay, bx, by) {
    const dx = bx - ax, dy = by - ay, length2 = dx * dx + dy * dy;
    const along = length2 ? ((px - ax) * dx + (py - ay) * dy) / length2 : 0;
    const t = Math.min(Math.max(along, 0), 1);
    return (px - ax - t * dx) ** 2 + (py - ay - t * dy) ** 2;
  }

  // brought to one size, in the middle of the canvas; pixel centres are whole numbers
  function fitted(strokes) {
    const xs = strokes.flatMap((stroke) => stroke.filter((_, i) => i % 2 === 0));
    const ys = strokes.flatMap((stroke) => stroke.filter((_, i) => i % 2 === 1));
    const [left, right, top, bottom] = [
      Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = LONGEST / Math.max(right - left, bottom - top, SMALLEST);
    const middle = [(left + right) / 2, (top + bottom) / 2];
    return strokes.map((stroke) => stroke.map((value, i) =>
      (value - middle[i % 2]) * scale + (CANVAS - 1) / 2));
  }

  function picture(strokes) {
    const image = new Float32Array(SIDE * SIDE);
    if (!strokes.length) return image;
    const reach = PEN + 0.5, nearest = new Float64Array(CANVAS * CANVAS).fill(reach ** 2);
    for (const stroke of fitted(strokes))
      for (let i = 0; i < stroke.length; i += 2) {
        // a stroke of one point is a dot
        const [ax, ay] = stroke.slice(i ? i - 2 : 0), [bx, by] = stroke.slice(i);
        for (let y = Math.ceil(Math.min(ay, by) - reach); y <= Math.max(ay, by) + reach; y++)
          for (let x = Math.ceil(Math.min(ax, bx) - reach); x <= Math.max(ax, bx) + reach; x++)
            nearest[y * CANVAS + x] = Math.min(
              nearest[y * CANVAS + x], distance2(x, y, ax, ay, bx, by));
      }
    // each pixel is the mean of the canvas under it, ink from a third on
    const edge = (i) => Math.floor(i * CANVAS / SIDE + 0.5);
    for (let row = 0; row < SIDE; row++)
      for (let column = 0; column < SIDE; column++) {
        let ink = 0, count = 0;
        for (let y = edge(row); y < edge(row + 1); y++)
          for (let x = edge(column); x < edge(column + 1); x++) {
            ink += Math.min(reach - Math.sqrt(nearest[y * CANVAS + x]), 1);
            count++;
          }
        image[row * SIDE + column] = ink / count > 1 / 3 ? 1 : 0;
      }
    return image;
  }

  // ---- the network: metatutor.models.residual with its statistics folded in ----

  // whole numbers of 16 bits, each channel in its unit, to numbers
  function decode({ shape, unit, bias, weight }) {
    const [outputs, inputs, kernel] = shape, each = inputs * kernel * kernel;
    const bytes = Uint8Array.from(atob(weight), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return {
      inputs, outputs, kernel, bias,
      weight: Float32Array.from({ length: outputs * each }, (_, i) =>
        view.getInt16(2 * i, true) * unit[Math.floor(i / each)]),
    };
  }

  // the letter's centre of mass to the middle, its spread to one size
  function centred(image, spread = 0.42) {
    const place = (i) => (2 * i + 1) / SIDE - 1; // of pixel centres, from −1 to 1
    const sum = (f) => image.reduce((total, ink, i) =>
      total + ink * f(place(i % SIDE), place(Math.floor(i / SIDE))), 0);
    const mass = Math.max(sum(() => 1), 1e-6);
    const meanX = sum((x) => x) / mass, meanY = sum((x, y) => y) / mass;
    const variance = sum((x, y) => (x - meanX) ** 2 + (y - meanY) ** 2) / mass;
    const zoom = Math.min(Math.max(
      Math.sqrt(Math.max(variance, 1e-4)) / spread, 0.6), 1.6);
    const pixel = (row, column) =>
      row < 0 || column < 0 || row >= SIDE || column >= SIDE
        ? 0 : image[row * SIDE + column];
    return image.map((_, i) => {
      const back = (value, mean) => ((zoom * value + mean + 1) * SIDE - 1) / 2;
      const x = back(place(i % SIDE), meanX);
      const y = back(place(Math.floor(i / SIDE)), meanY);
      const column = Math.floor(x), row = Math.floor(y), dx = x - column, dy = y - row;
      return (1 - dy) * ((1 - dx) * pixel(row, column) + dx * pixel(row, column + 1))
        + dy * ((1 - dx) * pixel(row + 1, column) + dx * pixel(row + 1, column + 1));
    });
  }

  // A convolution that keeps the side: every pixel's neighbourhood times the weights.
  // Four channels at a time, three times as fast as one by one; all have 4 n outputs.
  function convolve(maps, side, { inputs, outputs, kernel, weight, bias }) {
    const area = side * side, each = inputs * kernel * kernel, border = (kernel - 1) / 2;
    const patches = new Float32Array(area * each); // 0 beyond the edge
    for (let pixel = 0, at = 0; pixel < area; pixel++) {
      const x = pixel % side - border, y = Math.floor(pixel / side) - border;
      for (let i = 0; i < inputs; i++)
        for (let row = y; row < y + kernel; row++)
          for (let column = x; column < x + kernel; column++, at++)
            if (row >= 0 && column >= 0 && row < side && column < side)
              patches[at] = maps[i * area + row * side + column];
    }
    const result = new Float32Array(outputs * area);
    for (let o = 0; o < outputs; o += 4)
      for (let pixel = 0; pixel < area; pixel++) {
        let [a, b, c, d] = [bias[o], bias[o + 1], bias[o + 2], bias[o + 3]];
        for (let k = 0, w = o * each, p = pixel * each; k < each; k++, w++, p++) {
          const value = patches[p];
          a += weight[w] * value;
          b += weight[w + each] * value;
          c += weight[w + 2 * each] * value;
          d += weight[w + 3 * each] * value;
        }
        const at = o * area + pixel;
        result[at] = a;
        result[at + area] = b;
        result[at + 2 * area] = c;
        result[at + 3 * area] = d;
      }
    return result;
  }

  const relu = (maps) => maps.map((value) => Math.max(value, 0));

  // the largest of each 2 × 2 pixels
  function pooled(maps, side) {
    const half = side / 2;
    return Float32Array.from({ length: maps.length / 4 }, (_, i) => {
      const corner = 2 * Math.floor(i / half) * side + 2 * (i % half);
      return Math.max(maps[corner], maps[corner + 1],
        maps[corner + side], maps[corner + side + 1]);
    });
  }

  let network; // decoded when first needed

  function load() {
    const { stem, blocks, scale } = metatutorDrawingWeights.network;
    const decoded = (block) => Object.fromEntries(
      Object.entries(block).map(([name, layer]) => [name, decode(layer)]));
    return { stem: decode(stem), blocks: blocks.map(decoded), scale };
  }

  function embed(image) {
    network ??= load();
    let side = SIDE, maps = relu(convolve(centred(image), side, network.stem));
    for (const { first, second, shortcut } of network.blocks) {
      maps = pooled(maps, side);
      side /= 2;
      const body = convolve(relu(convolve(maps, side, first)), side, second);
      const around = convolve(maps, side, shortcut);
      maps = relu(body.map((value, i) => value + around[i]));
    }
    return maps.map((value) => value * network.scale);
  }

  // ---- the nearest class mean: with one example a class, the example ----

  const distance = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);

  // softmax of −d²
  function probabilities(distances) {
    const least = Math.min(...distances);
    const parts = distances.map((d) => Math.exp(least - d));
    const sum = parts.reduce((a, b) => a + b, 0);
    return parts.map((part) => part / sum);
  }

  return { SIDE, picture, embed, distance, probabilities };
})();
