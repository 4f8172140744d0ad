import { FaultError } from '../../kit/errors.ts';
import { figuresToWire, type LinkFigures } from './link-agent/link-figures.ts';
import type { AgentAnswer } from './link-agent/protocol.ts';
import { LinkAgentProcess } from './link-agent-process.ts';
import type { LinkPlan } from './links/link-plan.ts';

interface Member {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

type Routes = AgentAnswer<'open'>['routes'];

/** The links of a local mesh: an agent that carries them, and what the plan says of each. */
export class LocalLinks {
  readonly agent: LinkAgentProcess;
  readonly #plan: LinkPlan;
  readonly #routes: Routes[number][] = [];
  #stopping = false;
  /** Resolves when the agent ended though nobody asked it to; never otherwise. */
  readonly lost: Promise<FaultError>;

  private constructor(agent: LinkAgentProcess, plan: LinkPlan) {
    this.agent = agent;
    this.#plan = plan;
    this.lost = new Promise((resolve) => {
      void agent.exited.then(({ code, signal, lastWords }) => {
        if (this.#stopping) return;
        const how = lastWords.at(-1) ?? (signal === null ? `code ${code}` : signal);
        resolve(new FaultError('LINK_AGENT_GONE', `the link agent ended, and every link with it: ${how}`));
      });
    });
  }

  /** @throws FaultError `CHILD_NOT_LISTENING` */
  static async start(plan: LinkPlan, seed: number, signal: AbortSignal): Promise<LocalLinks> {
    return new LocalLinks(await LinkAgentProcess.start(seed, signal), plan);
  }

  /** Links `members` with each other and with those that are there already, by the plan where it speaks of them. */
  async open(members: readonly Member[], signal: AbortSignal): Promise<void> {
    const { routes } = await this.agent.ask({ op: 'open', members: [...members] }, signal);
    this.#routes.push(...routes);
    const links = routes.map(({ at, to }) => ({ from: at, to, figures: this.#plan.figuresOf(at, to) }));
    if (links.length > 0) await this.set(links, signal);
  }

  /** The addresses by which `name` knows the others. */
  doorsOf(name: string): readonly string[] {
    return this.#routes.filter(({ at }) => at === name).map(({ address }) => address);
  }

  /** The address by which `at` reaches `to`; undefined where there is no link. */
  doorTo(at: string, to: string): { readonly host: string; readonly port: number } | undefined {
    const [host, port] =
      this.#routes.find((route) => route.at === at && route.to === to)?.address.split(':') ?? [];
    return host === undefined ? undefined : { host, port: Number(port) };
  }

  /** Changes what links do, faults apart, from now on. */
  async set(
    links: readonly { readonly from: string; readonly to: string; readonly figures: LinkFigures }[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.agent.ask(
      {
        op: 'profile',
        links: links.map(({ from, to, figures }) => ({ edge: [from, to], figures: figuresToWire(figures) })),
      },
      signal,
    );
  }

  counters(signal: AbortSignal): Promise<AgentAnswer<'counters'>> {
    return this.agent.ask({ op: 'counters' }, signal);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.agent.stop();
  }
}
