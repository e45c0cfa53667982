import { SearchQuery } from '@youworker/contracts/documents/search'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture, testUser } from './test-fixture.ts'

const DOCUMENTS: Readonly<Record<string, string>> = {
  'de.md': 'Herr Müller wohnt in der Straße am Süßen Grund. Übermäßige Größe.',
  'de2.md': 'Frau Mueller wohnt in der Strasse am Suessen Grund und hat Uebermut.',
  'pl.md': 'Zażółć gęślą jaźń w Łodzi; książka leży na półce w bibliotece miejskiej.',
  'ru.md': 'Ёлка стоит в углу, а мёд лежит на столе вместе с другими вещами дома.',
  'tr.md': 'Iğdır ilinde IŞIK hızı ölçüldü; İstanbul ve ışıklar çok güzeldir bugün.',
  'ar.md': 'قال المعلّم إنّ المدرسة الكبيرة أُغلقت، وذهب الأولاد إلى بيوتهم.',
  'he.md': 'הספרים שבספרייה נמצאים על המדפים, וְהַיְלָדִים קוראים אותם בשקט.',
  'code.ts':
    'export function getUserById(id: string) { return db.user_accounts.find(id) }\nclass HTTPServerError {}\nconst MAX_RETRY_COUNT = 5\n',
  'path.md': 'See services/ingestion/src/parsing/parse-file.ts and C:\\Users\\Ada\\report.docx or /etc/nginx/nginx.conf please.',
  'lang.md': 'We use C++ for engines, C# for tools, F# for maths, .NET 8 for servers, Node.js for the web, and R for statistics.',
  'c.md': 'The language C is old. Objective-C came later.',
  'num.md': 'The invoice amounts to 1,234.56 EUR; the other one to 98.765,43 EUR; population 83 200 000 people.',
  'emoji.md': '👩‍💻👍🏽 Great job 🎉 team 👩‍💻 and 👍🏽 all, flag 🇩🇪.',
  'ja.md': '東京都の図書館は毎日開いています。カードが必要です。',
  'zh.md': '我们公司的年假政策规定每年有二十七天带薪休假。',
  'th.md': 'พนักงานได้รับวันลาพักร้อนยี่สิบเจ็ดวันต่อปี',
  'ko.md': '직원은 매년 27일의 유급 휴가를 받습니다.',
  'mixed.md':
    'The contract ends in June.\n\nDer Vertrag endet im Juni, wenn die Kündigungsfristen eingehalten werden und beide Seiten zustimmen.\n\nLe contrat prend fin au mois de juin si les employés sont d’accord.',
  'hamlet.md': 'To be, or not to be, that is the question: whether it is nobler in the mind to suffer.',
  'one.md': 'Vitamin K and plan B and the letter x.',
}

let fixture: Fixture
const user = testUser()
beforeAll(async () => {
  fixture = await startFixture()
  await fixture.ingest(user, DOCUMENTS)
}, 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

const titles = async (query: string, more: Partial<SearchQuery> = {}) =>
  (await fixture.find(user, query, { mode: 'lexical', top_k: 5, ...more })).map(({ title }) => title)

test.each([
  ['de.md', 'mueller|Muller|strasse|STRASSE|suess|uebermaessig|groesse'],
  ['pl.md', 'lodz|ŁÓDŹ|ksiazka|zazolc'],
  ['ru.md', 'елка|мед|МЁД|ёлки'],
  ['tr.md', 'igdir|IĞDIR|ışık|isik|istanbul|ISTANBUL|İSTANBUL'],
  ['ar.md', 'المدرسه|مدرسة|المعلم|اولاد'],
  ['he.md', 'ספרייה|ילדים|הילדים|ספרים|מדפים'],
  [
    'code.ts',
    'user by id|getUserById|get_user_by_id|getuserbyid|userAccounts|user_accounts|http server error|maxRetryCount|max retry count',
  ],
  [
    'path.md',
    'services/ingestion/src/parsing/parse-file.ts|parse-file.ts|parse file|C:\\Users\\Ada\\report.docx|report.docx|/etc/nginx',
  ],
  ['lang.md', 'C++|c#|F#|.NET|.net 8|dotnet|nodejs|Node.js'],
  ['num.md', "1234.56|1.234,56|1 234,56|98765.43|98,765.43|83200000|83,200,000|83.200.000|83'200'000"],
  ['emoji.md', '🎉|👍|👩‍💻|🇩🇪'],
  ['ja.md', '図書館|カード|ｶｰﾄﾞ'],
  ['zh.md', '年假|带薪休假'],
  ['th.md', 'วันลา|พนักงาน'],
  ['ko.md', '휴가|유급휴가|직원'],
  ['mixed.md', 'contracts|Verträge|Kündigungsfrist|contrats|employé'],
  ['hamlet.md', '"to be or not to be"|to be or not to be|"that is the question"'],
  ['one.md', 'vitamin k|x|plan b'],
])('%s is found first by %s', async (title, queries) => {
  for (const query of queries.split('|')) expect([query, (await titles(query))[0]]).toEqual([query, title])
})

test('letters with two spellings find both', async () => {
  for (const query of ['müller', 'mueller', 'straße', 'strasse', 'süß', 'suess'])
    expect((await titles(query)).toSorted()).toEqual(['de.md', 'de2.md'])
})

test.each([
  ['C', ['c.md']],
  ['C++', ['lang.md']],
  ['"be to or"', []],
  ['1234', []],
  ['zebra -contract', []],
  ['-contract', ['mixed.md']],
])('%s finds %j only', async (query, wanted) => expect(await titles(query)).toEqual(wanted))

test('highlights are UTF-16 offsets, also behind emoji that take up to eleven of them', async () => {
  const marked = async (query: string) => {
    const [hit] = await fixture.find(user, query, { mode: 'lexical' })
    return hit?.highlights?.map(({ start, end }) => hit.text.slice(start, end))
  }
  expect(await marked('great team')).toEqual(['Great', 'team'])
  expect(await marked('🎉')).toEqual(['🎉'])
  expect(await marked('図書館')).toEqual(['図書', '書館'])
})

test('filters hold together, and a page of 100 is one', async () => {
  const files = Array.from({ length: 130 }, (_, n) => [
    `p${n}.md`,
    `Pelican number ${n * 7_919} ${n % 2 === 0 ? 'even' : 'odd'}.`,
  ])
  const other = testUser()
  await fixture.ingest(other, Object.fromEntries(files.slice(0, 65)), { tags: ['birds'], collection: 'zoo' })
  await fixture.ingest(other, Object.fromEntries(files.slice(65)), { tags: ['birds', 'late'], collection: 'sea' })
  const page = async (more: Partial<SearchQuery>) =>
    fixture.searches.search(SearchQuery.parse({ query: 'pelican', top_k: 100, ...more }), other)
  for (const mode of ['lexical', 'hybrid', 'dense'] as const) {
    const first = await page({ mode })
    const second = await page({ mode, offset: first.next_offset ?? 0 })
    const ids = [...first.results, ...second.results].map(({ chunk_id }) => chunk_id)
    expect([first.results.length, new Set(ids).size, ids.length]).toEqual([100, 130, 130])
  }
  const narrow = await page({ tags: ['late'], collection: 'sea', mime: 'text/*', query: 'pelican odd' })
  expect(narrow.results.every(({ title }) => Number(title.slice(1, -3)) >= 65)).toBe(true)
  expect(narrow.results).toHaveLength(65)
  expect((await page({ tags: ['late'], collection: 'zoo' })).results).toEqual([])
})

test('a question of 70 words finds what the rarest of them find', async () => {
  const person = testUser()
  const common =
    'the contract says that every employee who works for the company has to give notice in writing before the end of the month'
  await fixture.ingest(person, {
    ...Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`n${n}.md`, `${common} and number ${n * 7_919}.`])),
    'rare.md': 'Sabbaticals are granted after seven years of service.',
  })
  const question = `${common} and ${common} and ${common} but how long is a sabbatical`
  expect(question.split(' ').length).toBeGreaterThan(70)
  const [best] = await fixture.find(person, question, { mode: 'lexical' })
  expect(best?.title).toBe('rare.md')
})
