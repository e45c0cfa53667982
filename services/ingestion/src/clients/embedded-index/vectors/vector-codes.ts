/** Chunks that are encoded together; their numbers follow one another. */
export const BLOCK = 1_024
/** Of so many chunks the codes of a column stand together: a line of the processor's cache. */
const GROUP = 64
/** Each dimension in 16 steps of 0.7 standard deviations: vectors of hashed words have values far from their mean. */
const STEP = 0.7
const MIDDLE = 8
const STEPS = 16
const FURTHEST = MIDDLE * STEP
/** Share of what a query asks for that the read columns have to cover, so that the others need not be read. */
const COVERED = 0.98
/** Two entries of a table are added in 8 bits, and those of all columns in 16. */
const LARGEST_ENTRY = 63
const LARGEST_SUM = 32_000

/** Mean and spread of each dimension. Without the mean, all steps of vectors that point about the same way would be alike. */
export interface Centre {
  readonly means: Float32Array
  readonly spreads: Float32Array
}

/** What a query asks of the codes. */
export interface AskedColumns {
  /** Where each column stands within a group. */
  readonly offsets: Uint32Array
  /** For each column what the 16 steps of its first dimension add to the similarity, then those of its second. */
  readonly tables: Int8Array
}

/** Two dimensions make a column: a byte for each chunk. */
export const columnsOf = (dimensions: number): number => Math.ceil(dimensions / 2)

export const groupBytes = (dimensions: number): number => columnsOf(dimensions) * GROUP

export function centreOf(vectors: readonly Float32Array[]): Centre {
  const dimensions = vectors[0]?.length ?? 0
  const means = new Float32Array(dimensions)
  const spreads = new Float32Array(dimensions)
  const share = 1 / vectors.length
  for (const vector of vectors)
    for (let at = 0; at < dimensions; at += 1) means[at] = (means[at] ?? 0) + (vector[at] ?? 0) * share
  for (const vector of vectors) {
    for (let at = 0; at < dimensions; at += 1)
      spreads[at] = (spreads[at] ?? 0) + ((vector[at] ?? 0) - (means[at] ?? 0)) ** 2 * share
  }
  return { means, spreads: spreads.map((square) => Math.sqrt(square) || 1e-9) }
}

/** The codes of one block, group by group and in each column by column. `vectors` has one for each chunk of the block, or none. */
export function encode(vectors: readonly (Float32Array | undefined)[], { means, spreads }: Centre): Uint8Array {
  const bytes = groupBytes(means.length)
  const codes = new Uint8Array((bytes * BLOCK) / GROUP)
  vectors.forEach((vector, row) => {
    if (!vector) return
    const first = Math.floor(row / GROUP) * bytes + (row % GROUP)
    for (let at = 0; at < means.length; at += 1) {
      const off = ((vector[at] ?? 0) - (means[at] ?? 0)) / (spreads[at] ?? 1)
      const step = Math.min(STEPS - 1, Math.max(0, Math.floor(off / STEP) + MIDDLE))
      const cell = first + (at >> 1) * GROUP
      codes[cell] = (codes[cell] ?? 0) | (step << ((at & 1) * 4))
    }
  })
  return codes
}

export function askedColumns(query: Float32Array, { spreads }: Centre): AskedColumns {
  const weights = query.map((value, at) => Math.abs(value) * (spreads[at] ?? 0))
  const columns = neededColumns(weights)
  const largest = columns.reduce((most, column) => Math.max(most, weights[2 * column] ?? 0, weights[2 * column + 1] ?? 0), 0)
  const sum = columns.reduce((total, column) => total + (weights[2 * column] ?? 0) + (weights[2 * column + 1] ?? 0), 0)
  const scale = Math.min(LARGEST_ENTRY / (largest * FURTHEST || 1), LARGEST_SUM / (sum * FURTHEST || 1))
  const tables = new Int8Array(columns.length * 2 * STEPS)
  columns.forEach((column, n) => {
    for (const half of [0, 1]) {
      const at = 2 * column + half
      const weight = (query[at] ?? 0) * (spreads[at] ?? 0) * STEP * scale
      for (let step = 0; step < STEPS; step += 1)
        tables[(2 * n + half) * STEPS + step] = Math.round(weight * (step - MIDDLE + 0.5))
    }
  })
  return { offsets: Uint32Array.from(columns, (column) => column * GROUP), tables }
}

function neededColumns(weights: Float32Array): number[] {
  const energyOf = (column: number) => (weights[2 * column] ?? 0) ** 2 + (weights[2 * column + 1] ?? 0) ** 2
  const order = Array.from({ length: columnsOf(weights.length) }, (_, column) => ({ column, energy: energyOf(column) }))
  order.sort((a, b) => b.energy - a.energy)
  let missing = (1 - COVERED) * order.reduce((sum, { energy }) => sum + energy, 0)
  while ((missing -= order.at(-1)?.energy ?? Infinity) >= 0) order.pop()
  return order.map(({ column }) => column).sort((a, b) => a - b)
}
