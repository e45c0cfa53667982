const MAX_LINKS = 2_000
/** Of a page: links of a longer one are not looked for behind it. UTF-16 units. */
const MAX_SCANNED = 4_000_000

/** Targets of the links of a page, each once, in their order. A scan from left to right: pages are written by strangers. */
export function linksOf(html: string, pageUrl: URL): URL[] {
  const links = new Map<string, URL>()
  let base = pageUrl
  for (const [, tag = ''] of html.slice(0, MAX_SCANNED).matchAll(TAG)) {
    const name = /^[a-z]+/i.exec(tag)?.[0].toLowerCase()
    if (name === 'meta' && isNoFollow(tag)) return []
    if (name !== 'a' && name !== 'area' && name !== 'base') continue
    const href = attribute(tag, 'href')
    if (href === undefined || !URL.canParse(href, base)) continue
    const url = new URL(href, base)
    if (name === 'base') {
      base = url
      continue
    }
    if (attribute(tag, 'rel')?.toLowerCase().split(/\s+/).includes('nofollow')) continue
    url.hash = ''
    links.set(url.href, url)
    if (links.size >= MAX_LINKS) break
  }
  return [...links.values()]
}

const isNoFollow = (tag: string): boolean =>
  attribute(tag, 'name')?.toLowerCase() === 'robots' && /\b(nofollow|none)\b/i.test(attribute(tag, 'content') ?? '')

/** What stands between `<` and `>` of elements that begin with one of these letters. Comments and scripts may hold some that are none; they do no harm. */
const TAG = /<([abm][^<>]{0,8192})>/gi

/** Its value with the usual character references replaced. */
function attribute(tag: string, name: string): string | undefined {
  const lower = tag.toLowerCase()
  for (let at = lower.indexOf(name); at !== -1; at = lower.indexOf(name, at + 1)) {
    if (!/\s/.test(lower.charAt(at - 1))) continue
    const rest = tag.slice(at + name.length).trimStart()
    if (!rest.startsWith('=')) continue
    const value = rest.slice(1).trimStart()
    const quote = value.charAt(0)
    if (quote !== '"' && quote !== "'") return decoded(value.split(/\s/, 1)[0] ?? '')
    const end = value.indexOf(quote, 1)
    return end === -1 ? undefined : decoded(value.slice(1, end))
  }
  return undefined
}

/** Addresses in a sitemap or a sitemap index (sitemaps.org), in their order. */
export function sitemapUrls(xml: string, most: number): string[] {
  const urls: string[] = []
  for (let at = xml.indexOf('<loc>'); at !== -1 && urls.length < most; at = xml.indexOf('<loc>', at + 5)) {
    const end = xml.indexOf('<', at + 5)
    if (end === -1) break
    urls.push(decoded(xml.slice(at + 5, end).trim()))
  }
  return urls
}

export const isSitemapIndex = (xml: string): boolean => xml.slice(0, 4_096).includes('<sitemapindex')

const decoded = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&apos;', "'")
    .replaceAll('&#38;', '&')
    .replaceAll('&amp;', '&')
    .trim()
