import { cleanText } from '@youworker/runtime/text/text'
import { parseHTML } from 'linkedom'
import TurndownService from 'turndown'
import type { ParsedDocument } from '../parsed-document.ts'
import { parseMarkdown } from './parse-markdown.ts'

/** Elements whose text is not part of the page. */
const NOISE =
  'script, style, noscript, template, nav, iframe, object, embed, svg, canvas, button, input, select, textarea, [hidden]'

/** The page's whole text, converted to Markdown, without navigation, scripts and controls. */
export function parseHtml(html: string): ParsedDocument {
  const { document } = parseHTML(/<html[\s>]/i.test(html) ? html : `<!doctype html><html><body>${html}</body></html>`)
  const title = document.querySelector('title')?.textContent?.replaceAll(/\s+/g, ' ').trim() || undefined
  for (const element of document.querySelectorAll(NOISE)) element.remove()
  // The types of linkedom's and the browser's DOM differ; turndown walks either.
  const body = document.body as unknown as TurndownService.Node
  const parsed = parseMarkdown(markdownService().turndown(body))
  return { ...parsed, title: title ?? parsed.title }
}

function markdownService(): TurndownService {
  const service = new TurndownService({ headingStyle: 'atx', codeBlockStyle: 'fenced', bulletListMarker: '-' })
  service.escape = (text) => text
  service.addRule('words-only', { filter: ['a', 'b', 'strong', 'i', 'em'], replacement: (content) => content })
  service.addRule('images-as-text', {
    filter: 'img',
    replacement: (_content, node) => ('getAttribute' in node ? (node.getAttribute('alt') ?? '') : ''),
  })
  service.addRule('cells', {
    filter: ['td', 'th'],
    replacement: (content) => ` ${cleanText(content, { lines: 'join' })} |`,
  })
  service.addRule('rows', { filter: 'tr', replacement: (content) => `|${content}\n` })
  service.addRule('tables', { filter: 'table', replacement: (content) => `\n\n${content.trim()}\n\n` })
  return service
}
