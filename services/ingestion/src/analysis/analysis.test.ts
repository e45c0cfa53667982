import { expect, test } from 'vitest'
import { analyse } from './analyse.ts'
import { documentLanguage, languageOf } from './language.ts'
import { hasPhrase, hasTerm, matchesIn } from './matches.ts'
import { parseQuery, queryTerms } from './query.ts'

const asked = (query: string, ...languages: string[]) =>
  queryTerms(parseQuery(query), languages).map(({ forms, use }) => (use === 'should' ? '' : `${use}:`) + forms.join('|'))

/** A text of one language is found by a question when they share a term for each word of the question. */
function finds(text: string, query: string, language: string, languages = [language]): boolean {
  const terms = new Set(analyse(text, language))
  const wanted = queryTerms(parseQuery(query), languages).filter(({ use }) => use !== 'not')
  return wanted.length > 0 && wanted.every(({ forms }) => forms.some((form) => terms.has(form)))
}

test.each([
  ['en', 'Our policies were running', 'policy run'],
  ['de', 'Die Kündigungsfristen der Häuser', 'Kündigungsfrist Haus'],
  ['fr', "Les remboursements de l'été", 'remboursement été'],
  ['es', 'Los contratos y las vacaciones', 'contrato vacación'],
  ['it', 'I contratti e le ferie', 'contratto feria'],
  ['pt', 'Licenças e contratos', 'licença contrato'],
  ['nl', 'De contracten, huizen en vakantiedagen', 'contract huis vakantiedag'],
  ['pl', 'Umowy i książkami', 'umowa książki'],
  ['ru', 'Сроки договоров', 'срок договор'],
  ['tr', 'Kitaplarımız evlerinde', 'kitap ev'],
])('in %s, other forms of a word are found', (language, text, query) => {
  expect(finds(text, query, language)).toBe(true)
  expect(finds(text, query, language, ['en', 'de', language])).toBe(true)
  expect(finds(text, 'zebra', language)).toBe(false)
})

test.each([
  ['de', 'Straße Müller Übung', 'strasse mueller uebung'],
  ['de', 'STRASSE MUELLER UEBUNG', 'straße müller übung'],
  ['en', 'Mr. Müller met Jürgen', 'mueller juergen'],
  ['en', 'Mr. Mueller met Juergen', 'müller jürgen'],
  ['pl', 'Łódź i książka', 'lodz ksiazka'],
  ['ru', 'ёлка', 'елка'],
  ['tr', 'IŞIK İzmir', 'isik izmir'],
  ['tr', 'ışık izmir', 'IŞIK İZMİR'],
  ['fr', 'Congés payés à Noël', 'conges payes noel'],
  ['es', 'Año y jamón', 'ano jamon'],
  ['ar', 'وَالكِتَابُ إلى المدرسة', 'والكتاب المدرسه'],
  ['he', 'החופשה של העובדים', 'חופשה עובדימ'],
  ['en', 'ｆｕｌｌ ﬁle', 'full file'],
])('in %s, %s and %s are the same', (language, text, query) => expect(finds(text, query, language)).toBe(true))

test.each([
  ['getUserById', 'getUserById'],
  ['getUserById', 'user get'],
  ['get_user_by_id', 'getuserbyid'],
  ['class HTTPServer', 'http server'],
  ['see src/users/user-repository.ts', 'src/users/user-repository.ts'],
  ['see src/users/user-repository.ts', 'repository'],
  ['C++, C# and .NET', 'C++ c# .net'],
  ['e-mail', 'email'],
  ['email', 'e-mail'],
  ["the employee's car", 'employees'],
  ['1,234.50 EUR', '1.234,50'],
  ['1 234,50 zł', '1234.50'],
  ["10'000", '10000'],
  ['2024-11-30', '2024-11-30'],
  ['v1.2.3', '1.2.3'],
  ['a 🙂 smile', '🙂'],
  ['東京タワー', '東京'],
  ['水', '水'],
  ['fully 図書館に', '図書館'],
])('%s is found by %s', (text, query) => {
  expect(analyse(text, 'en').join(' ')).toMatch(/^[\p{L}\p{N}\p{M} ]+$/u)
  const terms = new Set(analyse(text, 'en'))
  const wanted = queryTerms(parseQuery(query), ['en'])
  expect(wanted.some(({ forms }) => forms.some((form) => terms.has(form)))).toBe(true)
})

test.each([
  ['C++ and C#', 'C'],
  ['C', 'C++'],
  ['1.5 kg', '15'],
])('%s is not found by %s', (text, query) => expect(finds(text, query, 'en')).toBe(false))

test('words without a topic count only when there are no others, in the language of the question', () => {
  expect(asked('How many days of leave do I have?', 'en')).toEqual(['day', 'leav'])
  expect(asked('was ist die Frist', 'de')).toEqual(['frist|FRIST'])
  expect(asked('die hard', 'en')).toEqual(['die', 'hard'])
  expect(asked('who are you', 'en')).toHaveLength(3)
})

test('phrases and words to leave out are read; a question of only those is read plainly', () => {
  expect(parseQuery('"force majeure" clause -insurance e-mail -5 --flag - x')).toEqual({
    words: 'clause   e-mail -5 --flag - x',
    phrases: ['force majeure'],
    without: ['insurance'],
  })
  expect(asked('"force majeure" clause -insurance', 'en')).toEqual(['must:forc', 'must:majeur', 'claus', 'not:insur'])
  expect(asked('-insurance', 'en')).toEqual(['insur'])
  expect(parseQuery('the „höhere Gewalt“ case').phrases).toEqual(['höhere Gewalt'])
  for (const query of ['"', '" "', '\0', '--', '{}', '🏽']) expect(asked(query, 'en')).toEqual([])
})

test('a phrase is found whatever its case, accents and signs', () => {
  expect(hasPhrase('It is a FORCE-majeure, they said', 'force majeure')).toBe(true)
  expect(hasPhrase('force and majeure', 'force majeure')).toBe(false)
  expect(hasPhrase('enforce majeure', 'force majeure')).toBe(false)
  expect(hasPhrase('東京の図書館です', '図書館')).toBe(true)
})

test('matches say where a text has which term', () => {
  const terms = queryTerms(parseQuery('running 図書館'), ['en'])
  const text = 'He runs to 図書館.'
  expect(matchesIn(text, 'en', terms).map(({ start, end }) => text.slice(start, end))).toEqual(['runs', '図書', '書館'])
  expect(hasTerm('no insurance', 'en', queryTerms(parseQuery('insured'), ['en']))).toBe(true)
})

test('the language of a chunk is that of its document unless it says otherwise', () => {
  const german = 'Der Vertrag kann mit einer Frist von einem Monat gekündigt werden, wenn beide Seiten zustimmen.'
  const english = 'The contract can be terminated with a notice of one month when both sides agree to it.'
  expect(languageOf(german)).toBe('de')
  expect(languageOf(english, 'de')).toBe('en')
  expect(languageOf('Total 12', 'de')).toBe('de')
  expect(languageOf('123 456')).toBe('und')
  expect(documentLanguage(`${german} ${german}`)).toBe('de')
})

test('a text of a megabyte without any end is analysed', () => {
  for (const part of ['a', 'a-', '1,', '. ', 'aB', '🙂', '図', '\u0301', '++']) {
    expect(analyse(part.repeat(20_000), 'en').join(' ')).toMatch(/^[\p{L}\p{N}\p{M} ]*$/u)
  }
})
