"""the same filter name in two orgs

Revision ID: 5128cea1f920
Revises: 9aa6a8e18718
Create Date: 2025-07-18 15:44:13.695726
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op

revision = '5128cea1f920'
down_revision = '9aa6a8e18718'
branch_labels = None
depends_on = None


def upgrade():
    op.drop_constraint(op.f("uq_saved_filters_user_id_name"), "saved_filters", type_="unique")
    op.create_unique_constraint(op.f("uq_saved_filters_user_id_org_id_name"), "saved_filters",
                                ["user_id", "org_id", "name"])


def downgrade():
    op.drop_constraint(op.f("uq_saved_filters_user_id_org_id_name"), "saved_filters", type_="unique")
    op.create_unique_constraint(op.f("uq_saved_filters_user_id_name"), "saved_filters",
                                ["user_id", "name"])
