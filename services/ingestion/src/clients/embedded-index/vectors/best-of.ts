const BINS = 4_096
const LEAST = -32_768

/** Of the chunks that are asked for the `wanted` with the best scores, in the order of their numbers. `isAsked` has 1 for each of those. */
export function bestOf(isAsked: Uint8Array, scores: Int16Array, wanted: number): Uint32Array {
  const end = scores.length
  let low = -LEAST
  let high = LEAST
  for (let id = 0; id < end; id += 1) {
    if (isAsked[id] !== 1) continue
    const score = scores[id] ?? LEAST
    if (score < low) low = score
    if (score > high) high = score
  }
  const width = Math.max(1, (high - low + 1) / BINS)
  const bins = new Uint32Array(BINS)
  for (let id = 0; id < end; id += 1) {
    if (isAsked[id] !== 1) continue
    const bin = Math.floor(((scores[id] ?? LEAST) - low) / width)
    bins[bin] = (bins[bin] ?? 0) + 1
  }
  let bin = BINS - 1
  let above = 0
  for (; bin > 0 && above + (bins[bin] ?? 0) < wanted; bin -= 1) above += bins[bin] ?? 0
  return pick(isAsked, scores, { least: low + bin * width, width, above, wanted })
}

/** Of those in the last bin only as many as are wanted: where few columns are asked, thousands may have one score. */
function pick(
  isAsked: Uint8Array,
  scores: Int16Array,
  { least, width, above, wanted }: { least: number; width: number; above: number; wanted: number },
): Uint32Array {
  const best = new Uint32Array(wanted)
  let [size, room] = [0, wanted - above]
  for (let id = 0; id < scores.length && size < wanted; id += 1) {
    const score = scores[id] ?? LEAST
    if (score < least || isAsked[id] !== 1) continue
    if (score < least + width && (room -= 1) < 0) continue
    best[size] = id
    size += 1
  }
  return best.subarray(0, size)
}
