/** Chunks that are encoded together; their numbers follow one another. */
export const BLOCK = 1_024
/** Each dimension in 16 steps of 0.7 standard deviations: vectors of hashed words have values far from their mean. */
const STEP = 0.7
const MIDDLE = 8
const DIMENSIONS_A_BYTE = { steps: 2, signs: 8 } as const
/** Share of what a query asks for that a few columns have to cover, so that the others need not be read. */
const COVERED = 0.98
const SCALE = 2 ** 20

/** Mean and spread of each dimension. Without the mean, all signs of vectors that point about the same way would be alike. */
export interface Centre {
  readonly means: Float32Array
  readonly spreads: Float32Array
}

/** A column of a block and what each of its bytes adds to the similarity to the query. */
export interface ColumnTable {
  readonly column: number
  readonly table: Int32Array
}

export interface QueryTables {
  readonly steps: readonly ColumnTable[]
  /** Empty when few columns of steps matter, as for a few words whose vector is made by hashing: those are enough alone. */
  readonly signs: readonly ColumnTable[]
}

const columnsOf = (dimensions: number): { steps: number; signs: number } => ({
  steps: Math.ceil(dimensions / DIMENSIONS_A_BYTE.steps),
  signs: Math.ceil(dimensions / DIMENSIONS_A_BYTE.signs),
})

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

/**
 * The codes of one block, column by column: first each two dimensions in 16 steps (a byte for each chunk), then the signs of each eight.
 * `vectors` has one for each chunk of the block, or none.
 */
export function encode(vectors: readonly (Float32Array | undefined)[], { means, spreads }: Centre): Uint8Array {
  const { steps, signs } = columnsOf(means.length)
  const codes = new Uint8Array((steps + signs) * BLOCK)
  vectors.forEach((vector, row) => {
    if (!vector) return
    for (let at = 0; at < means.length; at += 1) {
      const off = ((vector[at] ?? 0) - (means[at] ?? 0)) / (spreads[at] ?? 1)
      const step = Math.min(15, Math.max(0, Math.floor(off / STEP) + MIDDLE))
      const cell = (at >> 1) * BLOCK + row
      codes[cell] = (codes[cell] ?? 0) | (step << ((at & 1) * 4))
      const sign = (steps + (at >> 3)) * BLOCK + row
      if (off > 0) codes[sign] = (codes[sign] ?? 0) | (1 << (at & 7))
    }
  })
  return codes
}

export function tablesFor(query: Float32Array, { spreads }: Centre): QueryTables {
  const weights = query.map((value, at) => value * (spreads[at] ?? 0))
  const columns = columnsOf(query.length)
  const scale = SCALE / (Math.hypot(...weights) || 1)
  const needed = neededColumns(weights, columns.steps)
  const isSparse = needed.length <= columns.signs + columns.steps / 12
  const signs = isSparse ? [] : Array.from({ length: columns.signs }, (_, sign) => sign)
  return {
    steps: needed.map((column) => ({ column, table: stepTable(weights, column, scale) })),
    signs: signs.map((sign) => ({ column: columns.steps + sign, table: signTable(weights, sign, scale) })),
  }
}

function neededColumns(weights: Float32Array, steps: number): number[] {
  const energyOf = (column: number) => (weights[2 * column] ?? 0) ** 2 + (weights[2 * column + 1] ?? 0) ** 2
  const order = Array.from({ length: steps }, (_, column) => ({ column, energy: energyOf(column) }))
  order.sort((a, b) => b.energy - a.energy)
  let missing = (1 - COVERED) * order.reduce((sum, { energy }) => sum + energy, 0)
  while ((missing -= order.at(-1)?.energy ?? Infinity) >= 0) order.pop()
  return order.map(({ column }) => column).sort((a, b) => a - b)
}

function stepTable(weights: Float32Array, column: number, scale: number): Int32Array {
  const valueOf = (step: number) => (step - MIDDLE + 0.5) * STEP * scale
  const [low = 0, high = 0] = weights.subarray(2 * column, 2 * column + 2)
  return Int32Array.from({ length: 256 }, (_, byte) => Math.round(low * valueOf(byte & 15) + high * valueOf(byte >> 4)))
}

function signTable(weights: Float32Array, sign: number, scale: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let sum = 0
    for (let bit = 0; bit < 8; bit += 1) sum += (weights[sign * 8 + bit] ?? 0) * ((byte >> bit) & 1 ? 1 : -1)
    return Math.round(sum * scale)
  })
}

/** Adds what the columns of a block give to `scores`, for each of its chunks from `first` on. */
export function addBlock(codes: Uint8Array, columns: readonly ColumnTable[], scores: Int32Array, first: number): void {
  for (let at = 0; at < columns.length; at += 4) addFour(codes, columns.slice(at, at + 4), scores, first)
}

const NOTHING = new Int32Array(256)

/** Four at a time, because reading and writing the score takes as long as adding to it. */
function addFour(codes: Uint8Array, columns: readonly ColumnTable[], scores: Int32Array, first: number): void {
  const [a, b = a, c = a, d = a] = columns.map(({ column }) => column * BLOCK)
  if (a === undefined || b === undefined || c === undefined || d === undefined) return
  const [tableA = NOTHING, tableB = NOTHING, tableC = NOTHING, tableD = NOTHING] = columns.map(({ table }) => table)
  for (let row = 0; row < BLOCK; row += 1) {
    const sum =
      (tableA[codes[a + row] ?? 0] ?? 0) +
      (tableB[codes[b + row] ?? 0] ?? 0) +
      (tableC[codes[c + row] ?? 0] ?? 0) +
      (tableD[codes[d + row] ?? 0] ?? 0)
    scores[first + row] = (scores[first + row] ?? 0) + sum
  }
}

/** The same for some of its chunks only. */
export function addRows(codes: Uint8Array, columns: readonly ColumnTable[], scores: Int32Array, ids: Uint32Array): void {
  for (const { column, table } of columns) {
    const from = column * BLOCK
    for (const id of ids) scores[id] = (scores[id] ?? 0) + (table[codes[from + (id % BLOCK)] ?? 0] ?? 0)
  }
}
