import { Link, useLoaderData } from 'react-router-dom';
import { useTitle } from '../Page.jsx';
import { price } from '../price.js';

export function Home() {
  const lamps = useLoaderData();
  useTitle('Evenlight · lamps for long evenings');
  return (
    <>
      <section className="hero">
        <div>
          <h1 tabIndex={-1}>Lamps for long evenings</h1>
          <p className="lead">
            Six lamps, each made from start to finish by one pair of hands. Warm light, plain shapes, and parts you
            can replace with a screwdriver.
          </p>
          <p className="actions">
            <a className="button" href="#lamps">See the lamps</a>
            <Link to="/about">How we work</Link>
          </p>
        </div>
        <img src="/images/evening.svg" alt="A pendant lamp glows over a table by a window at dusk" width="640" height="520" />
      </section>
      <section id="lamps" aria-labelledby="lamps-heading">
        <h2 id="lamps-heading">The collection</h2>
        <ul className="grid">
          {lamps.map((lamp) => <LampCard key={lamp.id} lamp={lamp} />)}
        </ul>
      </section>
    </>
  );
}

function LampCard({ lamp }) {
  return (
    <li className="card">
      <img src={lamp.image} alt="" width="400" height="400" loading="lazy" />
      <h3><Link to={`/products/${lamp.id}`}>{lamp.name}</Link></h3>
      <p>{lamp.kind}</p>
      <p className="price">{price(lamp.price)}</p>
    </li>
  );
}
