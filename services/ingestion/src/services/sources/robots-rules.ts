/** Rules of one site for our crawler (RFC 9309). */
export interface RobotsRules {
  allows(url: URL): boolean
  /** Between two requests, in ms; 0 when the site names none. */
  readonly delayMs: number
  readonly sitemaps: readonly string[]
}

interface Rule {
  readonly allow: boolean
  readonly pattern: string
}

const MAX_LINES = 20_000
const MAX_RULES = 500
const MAX_PATTERN = 1_024
const MAX_SITEMAPS = 10
const MAX_DELAY_MS = 10_000

const rulesOf = (rules: readonly Rule[], delayMs: number, sitemaps: readonly string[]): RobotsRules => ({
  delayMs,
  sitemaps,
  allows({ pathname, search }) {
    const path = `${pathname}${search}`
    if (path === '/robots.txt') return true
    const matching = rules.filter(({ pattern }) => matches(pattern, path))
    const longest = Math.max(0, ...matching.map(({ pattern }) => pattern.length))
    const best = matching.filter(({ pattern }) => pattern.length === longest)
    // Of two rules as long as each other, the one that allows counts.
    return best.length === 0 || best.some(({ allow }) => allow)
  },
})

export const ALL_ALLOWED: RobotsRules = rulesOf([], 0, [])
/** While a site's rules cannot be known, all of it is closed. */
export const NONE_ALLOWED: RobotsRules = rulesOf([{ allow: false, pattern: '/' }], 0, [])

/** Groups that name `agent` count; without one, those for `*`. */
export function parseRobots(text: string, agent: string): RobotsRules {
  const groups: { agents: string[]; rules: Rule[]; delayMs: number }[] = []
  const sitemaps: string[] = []
  let group: (typeof groups)[number] | undefined
  let isNaming = false
  for (const line of text.split(/\r\n|\r|\n/, MAX_LINES)) {
    const [name, value] = splitOnce(line.split('#', 1)[0] ?? '')
    if (name === 'sitemap' && sitemaps.length < MAX_SITEMAPS) sitemaps.push(value)
    if (name === 'user-agent') {
      if (!isNaming || !group) groups.push((group = { agents: [], rules: [], delayMs: 0 }))
      group.agents.push(value.toLowerCase())
      isNaming = true
      continue
    }
    if (!group || (name !== 'allow' && name !== 'disallow' && name !== 'crawl-delay')) continue
    isNaming = false
    if (name === 'crawl-delay') group.delayMs = Math.min(MAX_DELAY_MS, Math.max(0, Number(value) * 1_000 || 0))
    else if (value !== '' && group.rules.length < MAX_RULES && value.length <= MAX_PATTERN)
      group.rules.push({ allow: name === 'allow', pattern: value })
  }
  const named = groups.filter(({ agents }) => agents.includes(agent.toLowerCase()))
  const ours = named.length > 0 ? named : groups.filter(({ agents }) => agents.includes('*'))
  return rulesOf(
    ours.flatMap(({ rules }) => rules),
    Math.max(0, ...ours.map(({ delayMs }) => delayMs)),
    sitemaps,
  )
}

function splitOnce(line: string): [string, string] {
  const colon = line.indexOf(':')
  return colon === -1 ? ['', ''] : [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]
}

/** `*` stands for anything and a `$` at the end for the end. Each part is looked for once, so a hostile pattern costs no more than another. */
function matches(pattern: string, path: string): boolean {
  const isWhole = pattern.endsWith('$')
  const [first = '', ...rest] = (isWhole ? pattern.slice(0, -1) : pattern).split('*')
  if (!path.startsWith(first)) return false
  let at = first.length
  const last = isWhole ? rest.pop() : undefined
  for (const part of rest) {
    const found = path.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  if (!isWhole) return true
  return last === undefined ? at === path.length : path.length - last.length >= at && path.endsWith(last)
}
