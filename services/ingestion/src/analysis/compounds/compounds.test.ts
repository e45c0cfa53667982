import { expect, test } from 'vitest'
import { analyse } from '../analyse.ts'
import { matchesIn } from '../matches.ts'
import { parseQuery, queryTerms } from '../query.ts'
import { splitCompound } from './split-compound.ts'

/** A compound, and how others write about the same. */
const PAIRS: readonly (readonly [compound: string, apart: string])[] = [
  ['Urlaubsantrag', 'Den Antrag auf Urlaub reicht man bei der Leitung ein.'],
  ['Kündigungsfristen', 'Welche Frist bei einer Kündigung gilt, regelt der Text.'],
  ['Reisekostenabrechnung', 'Die Kosten einer Reise werden mit der Abrechnung erstattet.'],
  ['Arbeitszeiterfassung', 'Zur Erfassung der Zeiten bei der Arbeit dient eine Uhr.'],
  ['Mietvertragskündigung', 'Die Kündigung eines Mietvertrags braucht die Schriftform.'],
  ['Brandschutzordnung', 'Beim Schutz vor einem Brand gilt diese Ordnung.'],
  ['Datenschutzbeauftragter', 'Fragen zum Datenschutz nimmt die Beauftragte Klein entgegen.'],
  ['Gehaltserhöhung', 'Um eine Erhöhung ihres Gehalts bitten viele.'],
  ['Krankenversicherungsbeiträge', 'Die Beiträge zur Versicherung der Kranken steigen.'],
  ['Elternzeitantrag', 'Der Antrag auf Elternzeit ist sieben Wochen vorher zu stellen.'],
  ['Dienstwagenregelung', 'Eine Regelung für Wagen im Dienst gibt es hier.'],
  ['Passwortänderung', 'Die Änderung eines Passworts geht so.'],
  ['Druckerpatrone', 'Die Patrone im Drucker ist leer.'],
  ['Heizungswartung', 'Die Wartung der Heizung erfolgt jährlich.'],
  ['Parkplatzvergabe', 'Die Vergabe der Parkplätze erfolgt per Los.'],
  ['Schlüsselverlust', 'Den Verlust eines Schlüssels meldet man sofort.'],
  ['Rechnungsprüfung', 'Vor der Prüfung wird keine Rechnung bezahlt.'],
  ['Lieferantenbewertung', 'Eine Bewertung der Lieferanten erfolgt am Jahresende.'],
  ['Umsatzsteuererklärung', 'Die Erklärung zur Umsatzsteuer muss im Mai abgegeben werden.'],
  ['Projektplan', 'Nach diesem Plan läuft das Projekt.'],
  ['Besprechungsraum', 'Die Räume für eine Besprechung bucht man am Empfang.'],
  ['Kantinenpreise', 'In der Kantine gelten neue Preise.'],
  ['Fahrradkeller', 'Im Keller stehen die Fahrräder.'],
  ['Betriebsratswahl', 'Die Wahl zum Betriebsrat findet im März statt.'],
  ['Weihnachtsgeld', 'Zu Weihnachten gibt es zusätzliches Geld.'],
  ['Probezeitgespräch', 'Ein Gespräch beendet die Probezeit.'],
  ['Softwarelizenz', 'Lizenzen für die Software verwaltet das Team.'],
  ['Netzwerkausfall', 'Nach einem Ausfall des Netzwerks hilft das Handbuch.'],
  ['Serverraumtemperatur', 'Die Temperatur im Raum der Server darf nicht steigen.'],
  ['Datensicherungskonzept', 'Dieses Konzept beschreibt die Sicherung der Daten.'],
  ['Wasserschadenmeldung', 'Die Meldung eines Schadens durch Wasser geht an uns.'],
  ['Aufzugsnotruf', 'Im Aufzug gibt es für den Notruf einen Knopf.'],
  ['Müllabfuhrkalender', 'Der Kalender nennt die Tage, an denen der Müll geholt wird.'],
  ['Haustierhaltung', 'Die Haltung von Tieren im Haus ist gestattet.'],
  ['Mietminderung', 'Eine Minderung der Miete ist bei Mängeln möglich.'],
  ['Nebenkostenabrechnung', 'Die Abrechnung der Nebenkosten kommt im Juni.'],
  ['Unfallbericht', 'Nach jedem Unfall wird ein Bericht geschrieben.'],
  ['Erste-Hilfe-Kurs', 'Der Kurs lehrt die erste Hilfe.'],
  ['Impfpflicht', 'Eine Pflicht zur Impfung besteht nicht.'],
  ['Krankmeldungspflicht', 'Zur Krankmeldung besteht am ersten Tag die Pflicht.'],
  ['Arztbescheinigung', 'Eine Bescheinigung vom Arzt ist ab dem dritten Tag nötig.'],
  ['Blutdruckmessung', 'Die Messung des Blutdrucks dauert eine Minute.'],
  ['Schulanmeldung', 'Die Anmeldung an der Schule ist im Februar.'],
  ['Prüfungsordnung', 'Die Ordnung regelt, wie Prüfungen ablaufen.'],
  ['Studentenausweis', 'Mit dem Ausweis fahren Studenten umsonst.'],
  ['Bibliotheksgebühren', 'Die Bibliothek erhebt Gebühren.'],
  ['Klassenfahrt', 'Die Fahrt der Klasse geht nach Rom.'],
  ['Zeugnisausgabe', 'Die Ausgabe der Zeugnisse ist am Freitag.'],
  ['Baugenehmigung', 'Ohne Genehmigung darf kein Bau beginnen.'],
  ['Grundstücksgrenze', 'An der Grenze des Grundstücks steht ein Zaun.'],
  ['Dachsanierung', 'Das Dach braucht eine Sanierung.'],
  ['Fensterreinigung', 'Die Reinigung der Fenster kostet extra.'],
  ['Stromverbrauch', 'Der Verbrauch an Strom sinkt.'],
  ['Ladekabel', 'Das Kabel zum Laden liegt in der Schublade.'],
  ['Versandkosten', 'Die Kosten für den Versand trägt der Käufer.'],
  ['Widerrufsbelehrung', 'Über den Widerruf werden Kunden belehrt.'],
  ['Rückgaberecht', 'Das Recht zur Rückgabe endet nach 14 Tagen.'],
  ['Zahlungsverzug', 'Bei Verzug mit der Zahlung fallen Zinsen an.'],
  ['Kontonummer', 'Auf dem Konto steht die Nummer.'],
  ['Steuerberaterkosten', 'Was ein Steuerberater nimmt, sind Kosten der Firma.'],
]
/** What most of these words share with none of the texts above. */
const OTHERS = [
  'Unterschrift',
  'Vorschrift',
  'Wirtschaft',
  'Gesellschaft',
  'Mannschaft',
  'Verwaltung',
  'Entscheidung',
  'Beziehung',
  'Deutschland',
  'Verantwortung',
  'Eigenschaft',
  'zusammenwachsen',
  'ausgeschrieben',
  'Monitor',
  'Kaktus',
  'entlüften',
  'Niederlande',
  'Geschwindigkeit',
  'Direktor',
  'Palast',
  'Gegenwart',
  'interessant',
  'Verkäuferin',
  'Behauptung',
]

type Found = 'all' | 'some' | 'none'

function found(query: string, text: string, language = 'de'): Found {
  const terms = new Set(analyse(text, language))
  const asked = queryTerms(parseQuery(query), [language])
  const parts = asked.slice(1)
  if (asked[0]?.forms.some((form) => terms.has(form)) === true) return 'all'
  const having = parts.filter(({ forms }) => forms.some((form) => terms.has(form))).length
  return having === 0 ? 'none' : having === parts.length ? 'all' : 'some'
}

test('of 60 compounds all find what is written apart, most by each of their words, and nothing else by all of them', () => {
  const count = (wanted: Found, pairs: readonly (readonly [string, string])[], language: string) =>
    pairs.filter(([query, text]) => found(query, text, language) === wanted).length
  const others = PAIRS.flatMap(([query, own]) =>
    PAIRS.filter(([, text]) => text !== own).map(([, text]) => [query, text] as const),
  )
  expect(PAIRS).toHaveLength(60)
  // Where a language has no compounds, only the two whose parts are joined by hyphens or stand there as they are.
  expect(count('none', PAIRS, 'und')).toBeGreaterThanOrEqual(58)
  expect(count('none', PAIRS, 'de')).toBe(0)
  expect(count('all', PAIRS, 'de')).toBeGreaterThanOrEqual(56)
  expect(count('all', others, 'de')).toBe(0)
  // Of 3540 pairs: one word in common, as `Kosten` or `Antrag`, which counts half.
  expect(count('some', others, 'de')).toBeLessThan(200)
})

test('what is asked apart finds the compound', () => {
  const missing = PAIRS.filter(([compound, apart]) => {
    const terms = new Set(analyse(compound, 'de'))
    return !queryTerms(parseQuery(apart), ['de']).some(({ forms }) => forms.some((form) => terms.has(form)))
  })
  expect(missing.map(([compound]) => compound)).toEqual([])
})

test.each(OTHERS)('%s is one word', (word) => expect(splitCompound(word.toLowerCase(), 'de')).toEqual([]))

test.each([
  ['Urlaubsanträgen', ['urlaub', 'antrag']],
  ['Häuserblöcke', ['häuser', 'block']],
  ['Haeuserbloecke', ['häuser', 'block']],
  ['Straßenbahnhaltestelle', ['straßenbahn', 'halt', 'stelle']],
  ['Verdunstungskühlung', ['verdunstung', 'kühlung']],
  ['Arbeitsunfähigkeitsbescheinigung', ['arbeit', 'unfähigkeit', 'bescheinigung']],
])('%s is made of %j', (word, parts) => expect(splitCompound(word.toLowerCase(), 'de')).toEqual(parts))

test.each([
  ['vakantieaanvraag', 'een aanvraag voor vakantie'],
  ['huurcontract', 'het contract van de huur'],
  ['arbeidsovereenkomsten', 'de overeenkomst over arbeid'],
  ['ziekteverzekering', 'een verzekering tegen ziekte'],
  ['verblijfsvergunning', 'een vergunning voor verblijf'],
])('in Dutch, %s and %s find each other', (compound, apart) => {
  expect(found(compound, apart, 'nl')).toBe('all')
  expect(matchesIn(compound, 'nl', queryTerms(parseQuery(apart), ['nl']))).toHaveLength(1)
})

test('a word inside a compound is no word of a phrase and not left out', () => {
  const terms = new Set(analyse('Der Urlaubsantrag', 'de'))
  const has = (query: string) =>
    queryTerms(parseQuery(query), ['de']).map(({ forms, use }) => [use, forms.some((form) => terms.has(form))])
  expect(has('Urlaub')).toEqual([['should', true]])
  expect(has('"Urlaub"')).toEqual([['must', false]])
  expect(has('"Urlaubsantrag"')).toEqual([['must', true]])
  expect(has('Antrag -Urlaub')).toEqual([
    ['should', true],
    ['not', false],
  ])
  expect(queryTerms(parseQuery('Urlaubsantrag'), ['en'])).toHaveLength(1)
})
