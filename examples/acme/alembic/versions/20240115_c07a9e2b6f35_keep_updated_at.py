"""keep updated_at

Revision ID: c07a9e2b6f35
Revises: 8b3e57d10fa4
Create Date: 2024-01-15 10:02:55.930012
"""
from alembic import op

revision = 'c07a9e2b6f35'
down_revision = '8b3e57d10fa4'
branch_labels = None
depends_on = None


TOUCH = """
CREATE FUNCTION touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$
"""


def upgrade():
    op.execute(TOUCH)
    for table in ('users', 'orgs'):
        op.execute(f"""
            CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table}
                FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
        """)


def downgrade():
    for table in ('orgs', 'users'):
        op.execute(f'DROP TRIGGER {table}_touch ON {table}')
    op.execute('DROP FUNCTION touch_updated_at()')
