import { setTimeout as sleep } from 'node:timers/promises'
import { extname } from 'node:path/posix'
import { AppError } from '@youworker/contracts/errors'
import type { Fetched, GuardedFetcher } from '@youworker/guarded-fetch/guarded-fetcher'
import { cutText } from '@youworker/runtime/text/text'
import type { NewPage } from '../../repositories/source-repository.ts'
import type { StreamStore } from '../files/store-stream.ts'
import { linksOf } from './page-links.ts'
import { SiteRules } from './site-rules.ts'
import type { GatheredFile, SourceFiles } from './source-files.ts'

const PAGE_MS = 120_000
/** Between two requests to one site, where its robots.txt asks for no longer pause. */
const PAUSE_MS = 500
const MAX_RETRY_AFTER_MS = 30_000
const MAX_PATH = 1_000
/** Of a page that is looked through for links, in bytes. */
const MAX_SCANNED = 4_000_000
/** Such links are no pages. */
const NO_PAGES = new Set(
  'css js mjs map ico png jpg jpeg gif svg webp avif bmp woff woff2 ttf eot mp3 mp4 m4a wav ogg webm avi mov mkv zip gz tgz tar bz2 xz rar 7z exe dmg iso bin deb rpm apk msi jar wasm rss atom'
    .split(' ')
    .map((ending) => `.${ending}`),
)

interface Options {
  readonly fetcher: GuardedFetcher
  readonly streams: StreamStore
  readonly target: string
  readonly recursive: boolean
  readonly max: { readonly pages: number; readonly depth: number }
  readonly owner: { readonly user_id: string; readonly space_id: string }
  readonly signal: AbortSignal
}

/** One page of the web, or with `recursive` those of its site that links and sitemaps lead to. */
export class WebSource implements SourceFiles {
  readonly maxFiles: number
  readonly #options: Options
  readonly #rules: SiteRules
  /** Of the page that the crawl began with, after redirects. */
  #site: string
  #asked = 0

  constructor(options: Options) {
    const { recursive, max, target, fetcher, signal } = options
    this.#options = options
    this.maxFiles = recursive ? max.pages : 1
    this.#site = siteOf(new URL(target))
    this.#rules = new SiteRules(fetcher, signal)
  }

  async first(): Promise<NewPage[]> {
    const start = new URL(this.#options.target)
    start.hash = ''
    const pages = [{ target: start.href, depth: 0 }]
    if (!this.#options.recursive) return pages
    const listed = (await this.#rules.sitemapPages(start, this.maxFiles)).filter(
      (url) => this.#isPage(url) && url.href !== start.href,
    )
    return [...pages, ...listed.map(({ href }) => ({ target: href, depth: 1 }))].slice(0, this.maxFiles)
  }

  nameOf(target: string): { path: string; uri: string } {
    return { path: pathOf(new URL(target)), uri: target }
  }

  async load(page: NewPage, known: ReadonlySet<string>): Promise<GatheredFile | undefined> {
    const { recursive, signal } = this.#options
    const url = new URL(page.target)
    if (recursive) {
      const rules = await this.#rules.of(url)
      if (!rules.allows(url)) {
        if (page.depth > 0) return undefined
        throw new AppError('VALIDATION_ERROR', "the site's robots.txt asks programs not to read this page, or does not answer")
      }
      if (this.#asked > 0) await sleep(Math.max(PAUSE_MS, rules.delayMs), undefined, { signal })
    }
    this.#asked += 1
    await using answer = await this.#get(page)
    if (page.depth === 0) this.#site = siteOf(answer.url)
    // A redirect to a page that is fetched by its own name.
    else if (answer.url.href !== page.target && known.has(answer.url.href)) return undefined
    return this.#store(page, answer)
  }

  /** Asks a site that is busy once more, after the pause that it names. */
  async #get({ target, depth }: NewPage): Promise<Fetched> {
    const { fetcher, streams, signal, recursive } = this.#options
    const mayFollow = (to: URL) => !recursive || depth === 0 || siteOf(to) === this.#site
    for (let tries = 1; ; tries += 1) {
      const answer = await fetcher.get(target, { maxBytes: streams.maxBytes, timeoutMs: PAGE_MS, signal, mayFollow })
      if (answer.status === 200) return answer
      await answer[Symbol.asyncDispose]()
      if (tries > 1 || (answer.status !== 429 && answer.status !== 503)) {
        throw new AppError('EXTERNAL_SERVICE_ERROR', `the site answers with status ${answer.status}`)
      }
      const seconds = Number(answer.headers['retry-after'] ?? 1)
      await sleep(Math.min(MAX_RETRY_AFTER_MS, Math.max(1, seconds || 1) * 1_000), undefined, { signal })
    }
  }

  async #store(page: NewPage, answer: Fetched): Promise<GatheredFile> {
    const { streams, owner, signal, recursive, max } = this.#options
    const { url, headers } = answer
    const mime = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
    const path = pathOf(url)
    const seen: Buffer[] = []
    const mayLink = recursive && page.depth < max.depth && (mime === 'text/html' || mime === 'application/xhtml+xml')
    const body = mayLink ? remembered(answer.body, seen) : answer.body
    const { blob, head } = await streams.write({ ...owner, name: path }, body, signal)
    const links = mayLink ? linksOf(Buffer.concat(seen).toString(), url).filter((link) => this.#isPage(link)) : []
    return {
      blob,
      head,
      path,
      uri: url.href,
      mime: mime === 'application/xhtml+xml' ? 'text/html' : mime,
      links: links.map(({ href }) => ({ target: href, depth: page.depth + 1 })),
    }
  }

  #isPage(url: URL): boolean {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return false
    if (url.username !== '' || url.href.length > 2_048) return false
    return siteOf(url) === this.#site && !NO_PAGES.has(extname(url.pathname).toLowerCase())
  }
}

/** `www.` and the scheme are no other site; another port is. */
const siteOf = ({ hostname, port }: URL): string => `${hostname.replace(/^www\./, '')}:${port}`

/** `example.com/docs/a`, as a person would write it. */
function pathOf(url: URL): string {
  const path = `${url.host}${url.pathname.replace(/\/$/, '')}${url.search}`
  return cutText(decoded(path).replaceAll(/\p{Cc}/gu, ''), MAX_PATH)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function* remembered(body: AsyncIterable<Buffer>, seen: Buffer[]): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of body) {
    if (size < MAX_SCANNED) seen.push(chunk)
    size += chunk.length
    yield chunk
  }
}
