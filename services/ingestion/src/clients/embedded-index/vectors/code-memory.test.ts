import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import wabt from 'wabt'
import { CodeMemory } from './code-memory.ts'
import { askedColumns, BLOCK, type Centre, encode, groupBytes } from './vector-codes.ts'

const DIMENSIONS = 384
const BLOCK_BYTES = DIMENSIONS * (BLOCK / 2)

test('scan.wasm is made of scan.wat', async () => {
  const [source, made] = [new URL('./scan.wat', import.meta.url), new URL('./scan.wasm', import.meta.url)]
  const { buffer } = (await wabt()).parseWat('scan.wat', await readFile(source, 'utf8'), { simd: true }).toBinary({})
  if (process.env['ACCEPT'] === '1') await writeFile(made, buffer)
  expect(Buffer.from(buffer).equals(await readFile(made))).toBe(true)
})

let seed = 7
const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
const vectorOf = (length: number) => Float32Array.from({ length }, () => random() + random() + random() - 1.5)
const centre: Centre = {
  means: vectorOf(DIMENSIONS).map((value) => value / 10),
  spreads: new Float32Array(DIMENSIONS).fill(0.5),
}
const rows = Array.from({ length: BLOCK }, (_, n) => (n % 9 === 4 ? undefined : vectorOf(DIMENSIONS)))
const codes = encode(rows, centre)
const never = () => {
  throw new Error('it was kept')
}

test('the sums are those of the steps of each chunk, and follow the similarity', () => {
  const memory = new CodeMemory(10 * BLOCK_BYTES)
  const query = vectorOf(DIMENSIONS)
  const asked = askedColumns(query, centre)
  memory.ask(1, groupBytes(DIMENSIONS), asked)
  const sums = memory.sums(0, () => codes)
  const added = Array.from({ length: BLOCK }, (_, row) =>
    asked.offsets.reduce((sum, offset, n) => {
      const code = codes[Math.floor(row / 64) * groupBytes(DIMENSIONS) + offset + (row % 64)] ?? 0
      return sum + (asked.tables[n * 32 + (code & 15)] ?? 0) + (asked.tables[n * 32 + 16 + (code >> 4)] ?? 0)
    }, 0),
  )
  expect([...sums]).toEqual(added)
  const similarity = rows.map((row) => row?.reduce((sum, value, at) => sum + value * (query[at] ?? 0), 0) ?? -Infinity)
  const order = (scores: ArrayLike<number>) =>
    rows.flatMap((row, n) => (row ? [n] : [])).toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0))
  const best = new Set(order(sums).slice(0, 60))
  expect(
    order(similarity)
      .slice(0, 20)
      .filter((n) => best.has(n)).length,
  ).toBeGreaterThanOrEqual(19)
})

test('codes are kept as long as there is room, also those of a file that has more than there is room for', () => {
  const memory = new CodeMemory(3 * 65_536 + 4 * BLOCK_BYTES)
  const columns = { offsets: Uint32Array.of(0), tables: Int8Array.from({ length: 32 }, (_, n) => (n < 16 ? n : 0)) }
  const block = (version: number, n: number) => new Uint8Array(BLOCK_BYTES).fill(version + n)
  const ask = (version: number, blocks: number, isKept = false) => {
    memory.ask(version, groupBytes(DIMENSIONS), columns)
    for (let n = 0; n < blocks; n += 1) {
      const sums = memory.sums(n, isKept ? never : () => block(version, n))
      expect([sums[0], sums[BLOCK - 1]], `${version} ${n}`).toEqual([version + n, version + n])
    }
  }
  ask(1, 2)
  ask(2, 2)
  ask(1, 2, true)
  ask(3, 2)
  ask(1, 2, true)
  expect(() => ask(2, 2, true)).toThrow('it was kept')
  ask(4, 7)
  ask(4, 7)
  ask(4, 3, true)
  ask(1, 2)
  ask(1, 2, true)
  // Another length: those of before are gone, and come back.
  memory.ask(5, groupBytes(8), columns)
  expect(memory.sums(0, () => new Uint8Array(4 * BLOCK).fill(9))[5]).toBe(9)
  ask(1, 2)
  ask(1, 2, true)
})
