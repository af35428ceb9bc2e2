import { Link, useLoaderData } from 'react-router-dom';
import { Page } from '../Page.jsx';
import { price } from '../price.js';

export function Product() {
  const lamp = useLoaderData();
  return (
    <div className="product">
      <img src={lamp.image} alt={lamp.alt} width="400" height="400" />
      <Page title={lamp.name} lead={lamp.story}>
        <p className="price">{price(lamp.price)}</p>
        <dl className="facts">
          {lamp.facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        <nav className="actions" aria-label="Lamps">
          <Link className="button" to={`/products/${lamp.next.id}`}>Next: {lamp.next.name}</Link>
          <Link to="/">All lamps</Link>
        </nav>
      </Page>
    </div>
  );
}
