import { Reply } from '../http/answers/reply.ts'
import { matchesEtag } from '../http/answers/etag.ts'
import { REVALIDATED } from '../http/answers/send-answer.ts'
import type { RequestContext } from '../http/request-context.ts'

interface Preview {
  readonly bytes: Uint8Array
  readonly mime: string
  readonly pages: number
  readonly version: string
}

/** What a file holds is shown, and neither runs nor loads anything, whatever it says. */
const SHUT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"

/** One page, with how many there are, and links to those beside it. */
export function previewReply({ bytes, mime, pages, version }: Preview, page: number, context: RequestContext): Reply {
  const etag = `"${version}.${page}"`
  const linkTo = (other: number, rel: string) => (other >= 1 && other <= pages ? [`<?page=${other}>; rel="${rel}"`] : [])
  const links = [...linkTo(page - 1, 'prev'), ...linkTo(page + 1, 'next')]
  const headers = {
    'content-type': mime,
    'content-disposition': 'inline',
    'content-security-policy': SHUT,
    'cache-control': REVALIDATED,
    'x-preview-page': String(page),
    'x-preview-pages': String(pages),
    etag,
    ...(links.length === 0 ? {} : { link: links.join(', ') }),
  }
  if (matchesEtag(context.incoming.headers['if-none-match'], etag)) return new Reply(304, undefined, headers)
  return new Reply(200, bytes, headers)
}
