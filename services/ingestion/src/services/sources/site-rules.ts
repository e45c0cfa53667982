import { AppError } from '@youworker/contracts/errors'
import { type GuardedFetcher, USER_AGENT } from '@youworker/guarded-fetch/guarded-fetcher'
import { isSitemapIndex, sitemapUrls } from './page-links.ts'
import { ALL_ALLOWED, NONE_ALLOWED, parseRobots, type RobotsRules } from './robots-rules.ts'

/** RFC 9309 asks for at least 500 KiB. */
const ROBOTS_BYTES = 512 * 1024
const SITEMAP_BYTES = 10 * 1024 * 1024
const RULES_MS = 20_000
const MAX_SITEMAPS = 5

/** What sites say of themselves to programs, asked for once in an attempt. */
export class SiteRules {
  readonly #fetcher: GuardedFetcher
  readonly #signal: AbortSignal
  readonly #rules = new Map<string, Promise<RobotsRules>>()

  constructor(fetcher: GuardedFetcher, signal: AbortSignal) {
    this.#fetcher = fetcher
    this.#signal = signal
  }

  of({ origin }: URL): Promise<RobotsRules> {
    const known = this.#rules.get(origin)
    if (known) return known
    const rules = this.#read(`${origin}/robots.txt`)
    this.#rules.set(origin, rules)
    return rules
  }

  /** RFC 9309 section 2.3.1: without the file all is allowed; while it cannot be had, nothing is. */
  async #read(url: string): Promise<RobotsRules> {
    const answer = await this.#text(url, ROBOTS_BYTES)
    if (answer === undefined || answer.status >= 500) return NONE_ALLOWED
    return answer.status === 200 ? parseRobots(answer.text, USER_AGENT) : ALL_ALLOWED
  }

  /** Pages in the sitemaps that robots.txt names, or in the usual one, as far as they can be read. */
  async sitemapPages(start: URL, most: number): Promise<URL[]> {
    const { sitemaps } = await this.of(start)
    const waiting = sitemaps.length > 0 ? [...sitemaps] : [`${start.origin}/sitemap.xml`]
    const pages = new Map<string, URL>()
    for (let read = 0; read < MAX_SITEMAPS && pages.size < most; read += 1) {
      const next = waiting.shift()
      if (next === undefined) break
      const answer = await this.#text(next, SITEMAP_BYTES)
      if (answer?.status !== 200) continue
      if (isSitemapIndex(answer.text)) {
        waiting.push(...sitemapUrls(answer.text, MAX_SITEMAPS))
        continue
      }
      for (const text of sitemapUrls(answer.text, most)) {
        if (!URL.canParse(text)) continue
        const url = new URL(text)
        url.hash = ''
        pages.set(url.href, url)
      }
    }
    return [...pages.values()]
  }

  /** `undefined` when the site does not answer or says too much. */
  async #text(url: string, maxBytes: number): Promise<{ status: number; text: string } | undefined> {
    try {
      await using answer = await this.#fetcher.get(url, { maxBytes, timeoutMs: RULES_MS, signal: this.#signal })
      const parts: Buffer[] = []
      for await (const part of answer.body) parts.push(part)
      return { status: answer.status, text: Buffer.concat(parts).toString() }
    } catch (error) {
      if (error instanceof AppError) return undefined
      throw error
    }
  }
}
