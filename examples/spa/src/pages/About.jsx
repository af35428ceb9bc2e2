import { useLoaderData } from 'react-router-dom';
import { Page } from '../Page.jsx';
import { ReleaseCheck } from '../ReleaseCheck.jsx';

// Each has a sheet in public/care.
const materials = ['brass', 'linen', 'oak', 'porcelain', 'steel', 'stoneware'];

export function About() {
  const workshops = useLoaderData();
  return (
    <Page
      className="prose"
      title="About"
      heading="Made slowly, lit daily"
      lead="Evenlight is three small workshops that agree on one thing: a lamp should outlive the room it was bought for."
    >
      <p>
        We turn, spin and wire every lamp ourselves. Each carries the initials of whoever made it, and a socket anyone
        can buy. When something breaks, write to the workshop that made it; they still have the moulds.
      </p>
      <h2>Care</h2>
      <p>
        {materials.map((material, i) => (
          <span key={material}>{i > 0 && ', '}<a href={`/care/${material}.txt`}>{material}</a></span>
        ))}
      </p>
      <h2>Workshops</h2>
      <ul className="workshops">
        {workshops.map((workshop) => (
          <li key={workshop.town}>
            <h3>{workshop.town}</h3>
            <p>{workshop.craft}</p>
            <p className="muted">Since {workshop.since}</p>
          </li>
        ))}
      </ul>
      <ReleaseCheck />
    </Page>
  );
}
