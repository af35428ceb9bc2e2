const euros = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 });

// Prices are whole euros.
export const price = (amount) => euros.format(amount);
