export interface ServerEvent {
  readonly event: string
  readonly id: number | undefined
  readonly data: unknown
}

/** Yields server-sent events (WHATWG HTML 9.2.6) with JSON data. Drops comments and an incomplete event at the end. */
export async function* readEvents(response: Response): AsyncGenerator<ServerEvent> {
  if (response.body === null) return
  let pending = ''
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (pending + text).split(/\r?\n\r?\n/)
    pending = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = parseEvent(block)
      if (event) yield event
    }
  }
}

function parseEvent(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of block.split(/\r?\n/)) {
    const [, name, value = ''] = /^([a-z]+): ?(.*)$/.exec(line) ?? []
    if (name !== undefined) fields.set(name, name === 'data' && fields.has(name) ? `${fields.get(name)}\n${value}` : value)
  }
  const data = fields.get('data')
  if (data === undefined) return undefined
  const id = Number(fields.get('id') || Number.NaN)
  return { event: fields.get('event') ?? 'message', id: Number.isInteger(id) ? id : undefined, data: JSON.parse(data) }
}
