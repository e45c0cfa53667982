import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { startFixture, testUser } from './test-fixture.ts'

const LANGUAGES = {
  'leave.md': 'Employees receive 27 days of paid leave per year. Ask Mr. Müller in the office about it.',
  'urlaub.md': 'Mitarbeiter erhalten 27 Tage bezahlten Urlaub. Die Kündigungsfristen regelt der Vertrag in der Münchner Straße.',
  'conges.md': "Les employés reçoivent des congés payés. Le remboursement des frais se fait à l'été par le service.",
  'vacaciones.md': 'Los empleados reciben vacaciones pagadas cada año y los contratos se firman en la oficina de la empresa.',
  'ferie.md': 'I dipendenti ricevono ferie retribuite ogni anno, e i contratti vengono firmati nella nostra sede di Milano.',
  'ferias.md': 'Os funcionários recebem férias remuneradas todos os anos e as licenças são pedidas ao departamento pessoal.',
  'verlof.md': 'Werknemers krijgen betaald verlof en de vakantiedagen worden per jaar door de werkgever vastgesteld.',
  'urlop.md': 'Pracownicy otrzymują płatny urlop, a umowy o pracę są podpisywane w naszej siedzibie w Łodzi co roku.',
  'otpusk.md': 'Сотрудники получают оплачиваемый отпуск каждый год, а сроки договоров определяет отдел кадров компании.',
  'izin.md': 'Çalışanlar her yıl ücretli izin alır ve sözleşmeler şirketin İzmir ofisinde imzalanır; ışıklar akşam kapatılır.',
}

test('a question finds chunks of every language that a space holds, by other forms of its words', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, LANGUAGES)
  const first = async (query: string) => (await fixture.find(user, query, { mode: 'lexical', top_k: 3 }))[0]?.uri ?? 'nothing'
  const wanted: Record<string, string> = {
    employee: 'leave',
    'How many days of leave?': 'leave',
    mueller: 'leave',
    Kündigungsfrist: 'urlaub',
    'Muenchner Strasse': 'urlaub',
    remboursements: 'conges',
    'conge paye': 'conges',
    'empleado vacación': 'vacaciones',
    'contratto di Milano': 'ferie',
    'pedir licença': 'ferias',
    vakantiedag: 'verlof',
    'umowa lodz': 'urlop',
    'срок договора': 'otpusk',
    'sözleşme izmir': 'izin',
    isik: 'izin',
  }
  for (const [query, name] of Object.entries(wanted)) expect(`${query}: ${await first(query)}`).toContain(`${name}.md`)
  expect(await fixture.find(user, 'zebra quantum', { mode: 'lexical' })).toEqual([])
})

test('phrases are kept together and words are left out, in every mode', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, {
    'a.md': 'In a case of force majeure the insurance does not pay.',
    'b.md': 'The force of the wind was a majeure surprise to everybody in the town.',
    'c.md': 'Force majeure ends the contract; nobody pays.',
  })
  for (const mode of ['lexical', 'hybrid', 'dense'] as const) {
    const names = async (query: string) => (await fixture.find(user, query, { mode })).map(({ title }) => title).sort()
    expect(await names('"force majeure"')).toEqual(['a.md', 'c.md'])
    expect(await names('"force majeure" -insurance')).toEqual(['c.md'])
    expect(await names('"majeure force"')).toEqual([])
  }
})

test('of a long question the rarest words count', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  const common = Array.from({ length: 100 }, (_, n) => `word${n}`)
  await fixture.ingest(user, {
    'common.md': common.join(' '),
    'rare.md': 'The platypus is rare.',
    'other.md': common.join(' and '),
  })
  const [best] = await fixture.find(user, `${common.join(' ')} platypus`, { mode: 'lexical' })
  expect(best?.title).toBe('rare.md')
})

test('an index file of an earlier layout is made anew, also from chunks whose language was never told', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, { 'umowy.md': LANGUAGES['urlop.md'] })
  await fixture.database.transact(user.id, 'write', async ({ trx }) => {
    await trx.updateTable('chunks').set({ language: null }).execute()
    await trx.updateTable('space_indexes').set({ languages: [] }).execute()
  })
  using file = new DatabaseSync(join(fixture.indexDir, `${user.id}.sqlite`))
  file.exec('pragma user_version = 1')
  expect(await fixture.find(user, 'umowa', { mode: 'lexical' })).toHaveLength(1)
})
