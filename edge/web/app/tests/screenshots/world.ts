/** People, rooms and messages that look like those of a team. */
import { Caller } from '../browser/harness'

type Line = [who: string, text: string, reactions?: Record<string, string[]>, answersTo?: string]

const WEEKEND: Line[] = [
  ['Priya Raman', 'The cabin is ours from Friday to Sunday 🎉'],
  ['Priya Raman', 'Six beds, a wood stove, and **no reception at all** in the valley.', { '🔥': ['Alice', 'Bob'], '😂': ['Zoë Müller'] }],
  ['Zoë Müller', 'Then we need the offline maps. I can bring:\n> two gas cookers\n> the large pot\n> coffee for everyone'],
  ['Bob', 'I have the car until Monday. Four seats, five if someone is brave.', { '👍': ['Alice', 'Priya Raman', 'Zoë Müller'] }],
  ['Alice', 'I am brave.', undefined, 'I have the car until Monday. Four seats, five if someone is brave.'],
  ['Alice', 'The route is at https://maps.example.org/route/412, and the code of the gate is `7318`.'],
  ['Zoë Müller', '❤️'],
  ['Bob', 'Leaving at 15:00 sharp, then?'],
]

const ROOMS: { name: string; people: string[]; lines: Line[] }[] = [
  { name: 'Book club', people: ['Zoë Müller', 'Noor Haddad'], lines: [['Noor Haddad', 'Chapter seven by Thursday, please.'], ['Zoë Müller', 'I am two chapters behind 🙈']] },
  { name: 'Release 0.4', people: ['Bob', 'Mei Lin', 'Noor Haddad'], lines: [['Mei Lin', 'The tests have been green since noon.'], ['Bob', 'Then I tag it in an hour.'], ['Mei Lin', '```\ngit tag -s v0.4.0\ngit push --tags\n```']] },
  { name: 'Weekend at the coast', people: ['Bob', 'Priya Raman', 'Zoë Müller'], lines: WEEKEND },
]
const DIRECT: Line[] = [['Priya Raman', 'Do you still have my tent?'], ['Alice', 'Yes. It is dry again, too.'], ['Priya Raman', 'Wonderful, thank you!']]

/** Alice's rooms, the fullest one last; returns what was made by name. */
export async function populate(url: string): Promise<Map<string, Caller>> {
  const people = new Map<string, Caller>()
  for (const [name, login] of [['Alice', 'alice'], ['Bob', 'bob']] as const) people.set(name, await Caller.logIn(url, login))
  for (const name of ['Priya Raman', 'Zoë Müller', 'Noor Haddad', 'Mei Lin']) people.set(name, await Caller.register(url, name))
  const alice = people.get('Alice')!
  const direct = await alice.post('/api/conversations', { type: 'direct', participantIds: [people.get('Priya Raman')!.id] })
  await write(people, direct.id, DIRECT)
  for (const { name, people: names, lines } of ROOMS) {
    const participantIds = names.map((who) => people.get(who)!.id)
    const { id } = await alice.post('/api/conversations', { type: 'group', name, participantIds })
    await write(people, id, lines)
  }
  return people
}

async function write(people: Map<string, Caller>, conversationId: string, lines: Line[]): Promise<void> {
  const seqs = new Map<string, number>()
  for (const [who, content, reactions = {}, answersTo] of lines) {
    const replyTo = answersTo === undefined ? {} : { replyTo: seqs.get(answersTo) }
    const { seq } = await people.get(who)!.post<{ seq: number }>('/api/messages', { conversationId, content, ...replyTo })
    seqs.set(content, seq)
    for (const [emoji, names] of Object.entries(reactions)) {
      for (const name of names) await people.get(name)!.put(`/api/conversations/${conversationId}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`)
    }
  }
}
