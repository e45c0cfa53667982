import { AppError } from '@youworker/contracts/errors'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { notFound, type SpaceAccess } from '../space-access.ts'

const VERSIONS = 20

/** How documents came to be: the flight recorder of those that the caller may read. */
export class TimelineService {
  readonly #uow: IngestionUnitOfWork
  readonly #access: SpaceAccess

  constructor({ uow, access }: { uow: IngestionUnitOfWork; access: SpaceAccess }) {
    this.#uow = uow
    this.#access = access
  }

  async ofDocument({ document_id }: { document_id: string }, context: UserContext) {
    const { found, spaces } = await this.#access.find(context, ({ ids }) =>
      this.#uow.in(ids).read(async ({ documents, stages }) => {
        const document = await documents.get(document_id)
        return document && { versions: await stages.timelines(document.id, VERSIONS) }
      }),
    )
    if (!found)
      throw notFound(
        spaces,
        new AppError('DOCUMENT_NOT_FOUND', 'There is no such document among yours; GET /v1/documents lists them'),
      )
    return found
  }
}
