const BINS = 4_096

/** Those of `ids` with the best scores: at least `wanted` when there are so many, and few more. In the order of `ids`. */
export function bestOf(ids: Uint32Array, scores: Int32Array, wanted: number): Uint32Array {
  if (ids.length <= wanted) return ids
  let low = Infinity
  let high = -Infinity
  for (const id of ids) {
    const score = scores[id] ?? 0
    if (score < low) low = score
    if (score > high) high = score
  }
  const width = (high - low) / (BINS - 1) || 1
  const bins = new Uint32Array(BINS)
  for (const id of ids) {
    const bin = Math.floor(((scores[id] ?? 0) - low) / width)
    bins[bin] = (bins[bin] ?? 0) + 1
  }
  let bin = BINS - 1
  for (let found = bins[bin] ?? 0; found < wanted && bin > 0; found += bins[bin] ?? 0) bin -= 1
  const least = low + bin * width
  const best = new Uint32Array(ids.length)
  let size = 0
  for (const id of ids) {
    if ((scores[id] ?? 0) < least) continue
    best[size] = id
    size += 1
  }
  return best.subarray(0, size)
}
