import { expect, test } from 'vitest'
import { titleIn } from './title-text.ts'

test('a title is what a model wrote, on one line and without what stands around it', () => {
  const cases: readonly [said: string, title: string | undefined][] = [
    ['Rivers of Europe', 'Rivers of Europe'],
    ['"Rivers of Europe."', 'Rivers of Europe'],
    ['\n\n## **Rivers of Europe**\nMore follows.', 'Rivers of Europe'],
    ['Title: “Rivers of Europe”', 'Rivers of Europe'],
    ['**Titel:** Flüsse Europas', 'Flüsse Europas'],
    ['「ヨーロッパの川」', 'ヨーロッパの川'],
    ['Which river is longest?', 'Which river is longest?'],
    ['C++ and C#', 'C++ and C#'],
    ['Rivers\u0000 of\u202E Europe', 'Rivers of Europe'],
    ['', undefined],
    ['""', undefined],
    [' \n***\n', undefined],
  ]
  for (const [said, title] of cases) expect(titleIn(said)).toBe(title)
  expect(titleIn('x'.repeat(300))).toBe(`${'x'.repeat(79)}…`)
})
