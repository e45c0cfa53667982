import { expect, test } from 'vitest'
import { Progress } from './progress.ts'

function record(isTerminal: boolean) {
  const shown = { printed: [] as string[], status: [] as string[] }
  const print = (line: string) => void shown.printed.push(line)
  const status = isTerminal ? (line: string) => void shown.status.push(line) : undefined
  let now = 0
  const progress = new Progress({ files: 4, bytes: 1_000 }, { print, write: print, status }, () => now)
  return { shown, progress, at: (seconds: number) => void (now = seconds * 1_000) }
}

test('on a terminal one line is rewritten, with rate, time left and current file, and goes away at the end', () => {
  const { shown, progress, at } = record(true)
  {
    using _ = progress
    at(1)
    progress.show({ files: 0, bytes: 10 }, 'a.md')
    at(2)
    progress.add({ files: 1, bytes: 250 })
    progress.show({ files: 1, bytes: 250 }, 'c.md')
    at(1_002)
    progress.show({ files: 1, bytes: 250 }, undefined)
  }
  expect(shown).toEqual({
    printed: [],
    status: [
      'Documents: 0 of 4 read: a.md',
      'Documents: 2 of 4 read, 1.0 a second, 2 s left: c.md',
      'Documents: 2 of 4 read, 0.0 a second, 17 min left',
      '',
    ],
  })
})

test('elsewhere a line comes every 5 s', () => {
  const { shown, progress, at } = record(false)
  {
    using _ = progress
    for (let tenths = 0; tenths <= 120; tenths += 1) {
      at(tenths / 10)
      progress.show({ files: 1, bytes: 100 }, 'a.md')
    }
  }
  expect(shown).toEqual({
    printed: ['Documents: 1 of 4 read, 0.2 a second, 45 s left: a.md', 'Documents: 1 of 4 read, 0.1 a second, 90 s left: a.md'],
    status: [],
  })
})
